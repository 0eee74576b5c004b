/** Which host the page runs in: Electron's preload leaves an object, the browser host does not. */
import { createElectronClient } from './electron.ts';
import { createLoopbackClient } from './loopback.ts';
import type { StudioClient } from './studio-client.ts';

export function connectStudio(): StudioClient {
  return window.hone === undefined ? createLoopbackClient(window.location) : createElectronClient(window.hone);
}
