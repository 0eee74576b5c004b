/** The page gets one frozen object with three functions. */
import { beforeEach, describe, expect, it, vi } from 'vitest';

interface Bridge {
  call(method: string, params: unknown): Promise<unknown>;
  onEvent(listener: (event: unknown) => void): () => void;
  grantFiles(files: readonly object[]): Promise<unknown>;
}

let bridge: Bridge;
let ipcRenderer: typeof import('../../helpers/fake-electron.ts')['ipcRenderer'];

beforeEach(async () => {
  // The preload acts when it is loaded, so it is loaded anew, and the fake with it.
  vi.resetModules();
  const fake = await import('../../helpers/fake-electron.ts');
  const { contextBridge } = fake;
  ipcRenderer = fake.ipcRenderer;
  await import('../../../electron/preload.ts');
  expect(contextBridge.exposeInMainWorld.mock.calls.map(([name]) => name)).toEqual(['hone']);
  bridge = contextBridge.exposeInMainWorld.mock.calls[0]?.[1] as Bridge;
});

describe('the object of the page', () => {
  it('is frozen and has the functions that the renderer knows, and no others', () => {
    expect(Object.isFrozen(bridge)).toBe(true);
    expect(Object.keys(bridge).sort()).toEqual(['call', 'grantFiles', 'onEvent']);
    expect(Object.values(bridge).every((value) => typeof value === 'function')).toBe(true);
  });

  it('sends calls in the envelope of the protocol, each with its number', async () => {
    ipcRenderer.invoke.mockResolvedValue({ id: 1, ok: true, result: 5 });
    expect(await bridge.call('runs.list', { search: 'a' })).toEqual({ id: 1, ok: true, result: 5 });
    await bridge.call('hello', {});
    expect(ipcRenderer.invoke.mock.calls).toEqual([
      ['hone:call', { id: 1, method: 'runs.list', params: { search: 'a' } }],
      ['hone:call', { id: 2, method: 'hello', params: {} }],
    ]);
  });

  it('never rejects', async () => {
    ipcRenderer.invoke.mockRejectedValue(new Error('An object could not be cloned.'));
    expect(await bridge.call('hello', {})).toEqual({
      ok: false,
      error: { code: 'protocol-violation', kind: 'internal', message: 'An object could not be cloned.' },
    });
  });

  it('hands over events without what is of Electron, until unsubscribed', () => {
    const listener = vi.fn();
    const unsubscribe = bridge.onEvent(listener);
    ipcRenderer.emit('hone:event', { sender: ipcRenderer }, { type: 'log' });
    expect(listener.mock.calls).toEqual([[{ type: 'log' }]]);
    expect(unsubscribe()).toBeUndefined();
    ipcRenderer.emit('hone:event', { sender: ipcRenderer }, { type: 'log' });
    expect(listener).toHaveBeenCalledOnce();
  });

  it('sends the paths of dropped files to main, and gives the page what main answers', async () => {
    const answer = { id: 1, ok: true, result: [{ id: 'x', name: 'a.onnx', kind: 'file', bytes: 1 }] };
    ipcRenderer.invoke.mockResolvedValue(answer);
    expect(await bridge.grantFiles([{ path: '/models/a.onnx' }, {}])).toEqual(answer);
    expect(ipcRenderer.invoke.mock.calls).toEqual([['hone:grant', { id: 1, paths: ['/models/a.onnx', ''] }]]);
  });
});
