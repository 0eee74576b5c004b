/**
 * The built main and preload, as Electron loads them: main as a module of plain Node with a stand-in for `electron`, up to its
 * window; the preload as a script that may require nothing but `electron`.
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { runInNewContext } from 'node:vm';
import { describe, expect, it, vi } from 'vitest';
import { ROOT } from '../helpers/studio.ts';
import { temporaryFolder } from '../helpers/temp.ts';

/** What main uses of Electron, in the order in which it is used; the window ends the process. */
const ELECTRON = `
  import { EventEmitter } from 'node:events';
  const told = [];
  const tell = (what) => (...values) => void told.push([what, ...values.filter((value) => typeof value !== 'function')]);
  export const app = Object.assign(new EventEmitter(), {
    isPackaged: false,
    commandLine: { hasSwitch: () => true, appendSwitch: tell('switch') },
    getPath: () => process.env.HONE_LIBRARY,
    enableSandbox: tell('sandbox'),
    requestSingleInstanceLock: () => true,
    whenReady: async () => tell('ready')(),
    exit: (code) => process.exit(code),
  });
  export const protocol = { registerSchemesAsPrivileged: tell('scheme') };
  export const session = { defaultSession: {
    on: tell('session'), setPermissionRequestHandler: tell('permissions'), setPermissionCheckHandler: tell('checks'),
    setDevicePermissionHandler: tell('devices'), setSpellCheckerEnabled: tell('spelling'),
    webRequest: { onBeforeRequest: tell('requests') }, protocol: { handle: tell('handle') },
  } };
  export const ipcMain = { handle: tell('ipc') };
  export const Menu = { buildFromTemplate: () => null, setApplicationMenu: tell('menu') };
  export const dialog = { showErrorBox: (title, text) => process.stderr.write(title + ': ' + text) };
  export const nativeTheme = {}, shell = {};
  export const screen = { getAllDisplays: () => [] };
  export class BrowserWindow extends EventEmitter {
    webContents = Object.assign(new EventEmitter(), {});
    constructor(options) { super(); told.push(['window', options.webPreferences.preload]); }
    async loadURL(url) { told.push(['load', url]); process.stdout.write(JSON.stringify(told)); process.exit(0); }
  }
`;

const hook = (electron: string): string => `
  import { registerHooks } from 'node:module';
  registerHooks({ resolve: (name, context, next) =>
    name === 'electron' ? { url: ${JSON.stringify(electron)}, shortCircuit: true } : next(name, context) });
`;

const asUrl = (code: string): string => `data:text/javascript,${encodeURIComponent(code)}`;

describe('the built main', () => {
  it('starts in order and opens the studio', async () => {
    const main = pathToFileURL(join(ROOT, 'dist/electron/main.js')).href;
    const args = [
      '--import',
      asUrl(hook(asUrl(ELECTRON))),
      '--input-type=module',
      '-e',
      `import ${JSON.stringify(main)}`,
    ];
    const env = { ...process.env, HONE_LIBRARY: temporaryFolder() };
    const { stdout } = await promisify(execFile)(process.execPath, args, { env });
    const told = JSON.parse(stdout) as [string, ...unknown[]][];
    expect(told.map(([what]) => what)).toEqual([
      ...['switch', 'sandbox', 'scheme', 'ready'],
      ...['permissions', 'checks', 'devices', 'session', 'spelling', 'requests', 'handle', 'ipc', 'ipc', 'menu'],
      ...['window', 'load'],
    ]);
    expect(told.at(-2)).toEqual(['window', join(ROOT, 'dist/electron/preload.cjs')]);
    expect(told.at(-1)).toEqual(['load', 'app://studio/']);
  });
});

describe('the built preload', () => {
  it('is one script that requires only electron', async () => {
    const required: string[] = [];
    const exposeInMainWorld = vi.fn();
    const require = (name: string): object => {
      required.push(name);
      return { contextBridge: { exposeInMainWorld }, ipcRenderer: {}, webUtils: {} };
    };
    const script = await readFile(join(ROOT, 'dist/electron/preload.cjs'), 'utf8');
    runInNewContext(script, { require, module: { exports: {} }, exports: {} });
    expect(required).toEqual(['electron']);
    expect(exposeInMainWorld.mock.calls).toEqual([['hone', expect.anything()]]);
  });
});
