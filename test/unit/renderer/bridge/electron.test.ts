/** The renderer's client over the real preload and the real side of main, with a fake of what is between them. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { IpcMain, WebContents } from 'electron';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { answerCalls, sendEvents } from '../../../../electron/ipc.ts';
import { Grants } from '../../../../native-workers/host/grants.ts';
import type { StudioService } from '../../../../native-workers/host/studio.ts';
import { HoneError } from '../../../../native-workers/protocol/errors.ts';
import type { StudioEvent } from '../../../../native-workers/protocol/studio.ts';
import { createElectronClient } from '../../../../renderer/bridge/electron.ts';
import type { HoneBridge, StudioClient } from '../../../../renderer/bridge/studio-client.ts';
import { temporaryFolder } from '../../../helpers/temp.ts';

let client: StudioClient;
let emit: (event: StudioEvent) => void;
let call: ReturnType<typeof vi.fn<(method: string, params: unknown) => Promise<unknown>>>;

beforeEach(async () => {
  vi.resetModules();
  const { contextBridge, FakeContents, ipcMain, ipcRenderer } = await import('../../../helpers/fake-electron.ts');
  const contents = new FakeContents();
  // Between the two sides is a structured clone.
  contents.send.mockImplementation((channel, message) => ipcRenderer.emit(channel, {}, structuredClone(message)));
  ipcRenderer.invoke.mockImplementation(async (channel, message) => {
    const event = { sender: contents, senderFrame: contents.mainFrame };
    return structuredClone(await ipcMain.handlers.get(String(channel))?.(event, structuredClone(message)));
  });
  call = vi.fn();
  const studio: StudioService = {
    call,
    grants: new Grants(),
    subscribe(listener) {
      emit = listener;
      return () => undefined;
    },
  };
  answerCalls(ipcMain as unknown as IpcMain, studio, vi.fn());
  sendEvents(studio, contents as unknown as WebContents);
  await import('../../../../electron/preload.ts');
  client = createElectronClient(contextBridge.exposeInMainWorld.mock.calls[0]?.[1] as HoneBridge);
});

/** A drop of one file; `path` is what Electron knows of it. */
const drop = (path: string | undefined): DataTransfer => ({ files: [{ path }] }) as unknown as DataTransfer;

describe('the client over Electron', () => {
  it('brings calls to the studio and results back', async () => {
    call.mockResolvedValueOnce({ id: 'r1' });
    expect(await client.call('runs.resume', { id: 'r1' })).toEqual({ id: 'r1' });
    expect(call.mock.calls).toEqual([['runs.resume', { id: 'r1' }]]);
  });

  it('brings errors back with their code, place and hint', async () => {
    call.mockRejectedValueOnce(new HoneError('file-truncated', 'Too short.', { where: { file: 'a.onnx', offset: 7 } }));
    await expect(client.call('inspect', { model: 'x' })).rejects.toMatchObject({
      code: 'file-truncated',
      message: 'Too short.',
      where: { file: 'a.onnx', offset: 7 },
    });
  });

  it('takes no answer that the protocol does not have', async () => {
    call.mockResolvedValueOnce({ unexpected: true });
    await expect(client.call('runs.resume', { id: 'r1' })).rejects.toMatchObject({ code: 'protocol-violation' });
  });

  it('tells of events until unsubscribed', () => {
    const heard: StudioEvent[] = [];
    const unsubscribe = client.onEvent((event) => heard.push(event));
    const log: StudioEvent = { type: 'log', run: 'r1', level: 'info', message: 'reading' };
    emit(log);
    unsubscribe();
    emit(log);
    expect(heard).toEqual([log]);
  });

  it('grants what was dropped, without a path', async () => {
    const path = join(temporaryFolder(), 'a.onnx');
    writeFileSync(path, 'abc');
    const [grant] = await client.grantDrop(drop(path), () => undefined);
    expect(grant).toMatchObject({ name: 'a.onnx', kind: 'file', bytes: 3 });
    expect(Object.keys(grant ?? {}).sort()).toEqual(['bytes', 'id', 'kind', 'name']);
    await expect(client.grantDrop(drop(undefined), () => undefined)).rejects.toMatchObject({
      code: 'file-not-granted',
    });
  });
});
