/** Calls are heard from the studio's own page only, checked, and answered with data. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { IpcMain, WebContents } from 'electron';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { CALL, EVENT, GRANT } from '../../../electron/channels.ts';
import { answerCalls, sendEvents } from '../../../electron/ipc.ts';
import { Grants } from '../../../native-workers/host/grants.ts';
import type { StudioService } from '../../../native-workers/host/studio.ts';
import { HoneError } from '../../../native-workers/protocol/errors.ts';
import { type StudioEvent, studioReplySchema } from '../../../native-workers/protocol/studio.ts';
import { FakeContents, FakeIpcMain, resetElectron } from '../../helpers/fake-electron.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

beforeEach(resetElectron);

function connected() {
  const listeners = new Set<(event: StudioEvent) => void>();
  const call = vi.fn(async (method: string, params: unknown): Promise<unknown> => ({ method, params }));
  const studio: StudioService = {
    call,
    grants: new Grants(),
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const ipc = new FakeIpcMain();
  const onHello = vi.fn();
  answerCalls(ipc as unknown as IpcMain, studio, onHello);
  const contents = new FakeContents();
  sendEvents(studio, contents as unknown as WebContents);
  const ask = async (
    channel: string,
    message: unknown,
    frame: object | null = contents.mainFrame,
  ): Promise<{ id: number; ok: boolean; result?: unknown; error?: { code: string; message: string } }> => {
    const reply = await ipc.handlers.get(channel)?.({ sender: contents, senderFrame: frame }, message);
    expect(studioReplySchema.safeParse(reply).error).toBeUndefined();
    return reply as never;
  };
  const emit = (event: object): void => {
    for (const listener of listeners) listener(event as StudioEvent);
  };
  return { ask, emit, call, onHello, contents, listeners, studio };
}

const progress = (run: string, done: number) => ({
  type: 'progress',
  run,
  stage: 'optimize',
  progress: { phase: 'quantizing', done, total: 10 },
});

describe('a call', () => {
  it('goes to the studio, and its result comes back under its number', async () => {
    const { ask, call, onHello } = connected();
    const reply = await ask(CALL, { id: 7, method: 'runs.list', params: { search: '' } });
    expect(reply).toEqual({ id: 7, ok: true, result: { method: 'runs.list', params: { search: '' } } });
    expect(call.mock.calls).toEqual([['runs.list', { search: '' }]]);
    expect(onHello).not.toHaveBeenCalled();
  });

  it('that fails is answered with the error as data', async () => {
    const { ask, call } = connected();
    call.mockRejectedValueOnce(new HoneError('file-truncated', 'It ends too early.', { where: { offset: 3 } }));
    expect(await ask(CALL, { id: 1, method: 'inspect', params: {} })).toMatchObject({
      id: 1,
      ok: false,
      error: { code: 'file-truncated', kind: 'input', message: 'It ends too early.', where: { offset: 3 } },
    });
    call.mockRejectedValueOnce('a bare text');
    expect(await ask(CALL, { id: 2, method: 'inspect', params: {} })).toMatchObject({ error: { code: 'internal' } });
  });

  it('of hello says that the page listens, when it was answered', async () => {
    const { ask, call, onHello } = connected();
    call.mockRejectedValueOnce(new Error('not yet'));
    await ask(CALL, { id: 1, method: 'hello', params: {} });
    expect(onHello).not.toHaveBeenCalled();
    await ask(CALL, { id: 2, method: 'hello', params: {} });
    expect(onHello).toHaveBeenCalledOnce();
  });

  it.each([
    null,
    undefined,
    'hello',
    {},
    { id: '1', method: 'hello', params: {} },
    { id: 1, method: 5, params: {} },
    { id: 1, method: 'hello', params: {}, more: true },
  ])('that is none is refused: %j', async (message) => {
    const { ask, call } = connected();
    expect(await ask(CALL, message)).toMatchObject({ ok: false, error: { code: 'protocol-violation' } });
    expect(call).not.toHaveBeenCalled();
  });
});

describe('a sender', () => {
  const strangers: [string, object | null][] = [
    ['that is gone', null],
    ['in a frame of the studio', { origin: 'app://studio', parent: { origin: 'app://studio', parent: null } }],
  ];

  it.each(strangers)('%s is refused', async (_name, frame) => {
    const { ask, call } = connected();
    for (const channel of [CALL, GRANT]) {
      const message = channel === CALL ? { id: 1, method: 'hello', params: {} } : { id: 1, paths: ['/a'] };
      expect(await ask(channel, message, frame)).toMatchObject({ ok: false, error: { code: 'protocol-violation' } });
    }
    expect(call).not.toHaveBeenCalled();
  });

  it.each(['https://example.invalid', 'app://other', 'null', 'file://', 'app://studio.example.invalid', ''])(
    'of another origin is refused: %s',
    async (origin) => {
      const { ask, call, contents } = connected();
      contents.mainFrame.origin = origin;
      const reply = await ask(CALL, { id: 1, method: 'hello', params: {} });
      expect(reply).toMatchObject({ ok: false, error: { code: 'protocol-violation' } });
      expect(call).not.toHaveBeenCalled();
    },
  );
});

describe('dropped files', () => {
  it('are granted, and the page gets names and no paths', async () => {
    const { ask, studio } = connected();
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'a.onnx'), 'abc');
    const reply = await ask(GRANT, { id: 3, paths: [join(folder, 'a.onnx'), folder] });
    expect(reply).toMatchObject({
      id: 3,
      ok: true,
      result: [
        { name: 'a.onnx', kind: 'file', bytes: 3 },
        { kind: 'folder', bytes: null },
      ],
    });
    expect(JSON.stringify(reply)).not.toContain(folder.slice(0, -3));
    const [grant] = reply.result as { id: string }[];
    expect(studio.grants.path(grant?.id ?? '')).toBe(join(folder, 'a.onnx'));
  });

  it.each([
    [{ id: 1, paths: [''] }, 'file-not-granted'],
    [{ id: 1, paths: [join('/', 'no', 'such', 'file')] }, 'file-missing'],
    [{ id: 1, paths: 'a' }, 'protocol-violation'],
    [{ id: 1, paths: Array.from({ length: 1001 }, () => 'a') }, 'protocol-violation'],
  ])('that are none are refused', async (message, code) => {
    expect(await connected().ask(GRANT, message)).toMatchObject({ ok: false, error: { code } });
  });
});

describe('events', () => {
  it('are sent at once, but of progress only the latest of each run', async () => {
    const { emit, contents } = connected();
    const log = { type: 'log', run: 'a', level: 'info', message: 'reading' };
    for (const done of [1, 2, 3]) emit(progress('a', done));
    emit(progress('b', 1));
    emit(log);
    expect(contents.send.mock.calls).toEqual([[EVENT, log]]);
    await vi.waitFor(() => expect(contents.send).toHaveBeenCalledTimes(3));
    expect(contents.send.mock.calls.slice(1)).toEqual([
      [EVENT, progress('a', 3)],
      [EVENT, progress('b', 1)],
    ]);
  });

  it('end with the page', () => {
    const { emit, contents, listeners } = connected();
    contents.isDestroyed.mockReturnValue(true);
    emit({ type: 'log', run: 'a', level: 'info', message: 'too late' });
    contents.emit('destroyed');
    expect(listeners.size).toBe(0);
    expect(contents.send).not.toHaveBeenCalled();
  });
});
