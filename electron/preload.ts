/**
 * What the page has of Electron: one frozen object with three functions. Sandboxed, so it is CommonJS and one file. Channel
 * names, paths and Electron's event objects stay here.
 */
import { contextBridge, type IpcRendererEvent, ipcRenderer, webUtils } from 'electron';
import { CALL, EVENT, GRANT } from './channels.ts';

/** An answer of main: a `StudioReply`, which the page checks. */
type Reply = { readonly ok: true; readonly result: unknown } | { readonly ok: false; readonly error: unknown };

let lastCall = 0;

async function invoke(channel: string, message: object): Promise<Reply> {
  lastCall += 1;
  try {
    return await ipcRenderer.invoke(channel, { id: lastCall, ...message });
  } catch (thrown) {
    // Arguments that cannot be cloned, or a window that main does not answer.
    const text = thrown instanceof Error ? thrown.message : String(thrown);
    return { ok: false, error: { code: 'protocol-violation', kind: 'internal', message: text } };
  }
}

contextBridge.exposeInMainWorld(
  'hone',
  Object.freeze({
    call: (method: unknown, params: unknown): Promise<Reply> => invoke(CALL, { method, params }),
    onEvent(listener: (event: unknown) => void): () => void {
      const receive = (_event: IpcRendererEvent, event: unknown): void => listener(event);
      ipcRenderer.on(EVENT, receive);
      return () => {
        ipcRenderer.off(EVENT, receive);
      };
    },
    grantFiles: (files: readonly File[]): Promise<Reply> =>
      invoke(GRANT, { paths: files.map((file) => webUtils.getPathForFile(file)) }),
  }),
);
