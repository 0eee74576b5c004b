/**
 * Electron as far as the host uses it, for tests under plain Node: `vitest.config.ts` puts this module in the place of
 * `electron`. It records what it is told and answers what a test sets. Names are checked against Electron's own types.
 */
import { EventEmitter } from 'node:events';
import type * as Electron from 'electron';
import { vi } from 'vitest';

/** Members of a fake must be members of what it stands for. */
type Of<Real> = Partial<Record<keyof Real, unknown>>;

export class FakeSession {
  readonly events = new EventEmitter();
  readonly on = this.events.on.bind(this.events);
  readonly setPermissionRequestHandler = vi.fn();
  readonly setPermissionCheckHandler = vi.fn();
  readonly setDevicePermissionHandler = vi.fn();
  readonly setSpellCheckerEnabled = vi.fn();
  readonly webRequest = { onBeforeRequest: vi.fn() } satisfies Of<Electron.WebRequest>;
  readonly protocol = { handle: vi.fn() } satisfies Of<Electron.Protocol>;
}
({}) as FakeSession satisfies Of<Electron.Session> & { events: EventEmitter };

export class FakeContents extends EventEmitter {
  readonly mainFrame = { origin: 'app://studio', parent: null };
  readonly send = vi.fn();
  readonly reload = vi.fn();
  readonly setWindowOpenHandler = vi.fn();
  readonly isDestroyed = vi.fn(() => false);
}
({}) as FakeContents satisfies Of<Electron.WebContents>;

export class BrowserWindow extends EventEmitter {
  static opened: BrowserWindow[] = [];
  readonly options: Electron.BrowserWindowConstructorOptions;
  readonly webContents = new FakeContents();
  readonly loadURL = vi.fn(async () => undefined);
  readonly show = vi.fn();
  readonly focus = vi.fn();
  readonly restore = vi.fn();
  readonly maximize = vi.fn();
  readonly isMinimized = vi.fn(() => false);
  readonly isMaximized = vi.fn(() => false);
  readonly getNormalBounds = vi.fn(() => ({ x: 10, y: 20, width: 1000, height: 700 }));

  constructor(options: Electron.BrowserWindowConstructorOptions) {
    super();
    this.options = options;
    BrowserWindow.opened.push(this);
    app.emit('web-contents-created', {}, this.webContents);
  }
}
({}) as BrowserWindow satisfies Of<Electron.BrowserWindow> & { options: unknown };

class FakeApp extends EventEmitter {
  isPackaged = false;
  readonly paths: Record<string, string> = { appData: '/app-data' };
  readonly setPath = vi.fn((name: string, path: string) => {
    this.paths[name] = path;
  });
  readonly getPath = vi.fn((name: string) => this.paths[name] ?? '');
  readonly enableSandbox = vi.fn();
  readonly requestSingleInstanceLock = vi.fn(() => true);
  readonly whenReady = vi.fn(async () => undefined);
  readonly quit = vi.fn();
  readonly exit = vi.fn();
  readonly commandLine = {
    hasSwitch: vi.fn(() => false),
    appendSwitch: vi.fn(),
  } satisfies Of<Electron.CommandLine>;
}
({}) as FakeApp satisfies Of<Electron.App> & { paths: unknown };

export class FakeIpcMain {
  readonly handlers = new Map<string, (event: unknown, message: unknown) => Promise<unknown>>();
  readonly handle = vi.fn((channel: string, handler: (event: unknown, message: unknown) => Promise<unknown>) => {
    this.handlers.set(channel, handler);
  });
}
({}) as FakeIpcMain satisfies Of<Electron.IpcMain> & { handlers: unknown };

export const app = new FakeApp();
export const session = { defaultSession: new FakeSession() };
export const ipcMain = new FakeIpcMain();
export const protocol = { registerSchemesAsPrivileged: vi.fn() } satisfies Of<Electron.Protocol>;
export const shell = { openExternal: vi.fn(async () => undefined) } satisfies Of<Electron.Shell>;
export const nativeTheme = { shouldUseDarkColors: false } satisfies Of<Electron.NativeTheme>;
export const screen = {
  getAllDisplays: vi.fn(() => [{ workArea: { x: 0, y: 0, width: 1920, height: 1080 } }]),
} satisfies Of<Electron.Screen>;
export const dialog = {
  showOpenDialog: vi.fn(async (..._args: unknown[]) => ({ canceled: true, filePaths: [] as string[] })),
  showSaveDialog: vi.fn(async (..._args: unknown[]) => ({ canceled: true, filePath: '' })),
  showMessageBoxSync: vi.fn(() => 0),
  showErrorBox: vi.fn(),
} satisfies Of<Electron.Dialog>;
export const Menu = {
  buildFromTemplate: vi.fn((template: unknown) => template),
  setApplicationMenu: vi.fn(),
};

/** Of the preload. */
export const contextBridge = { exposeInMainWorld: vi.fn() } satisfies Of<Electron.ContextBridge>;
export const ipcRenderer = Object.assign(new EventEmitter(), {
  invoke: vi.fn(async (..._args: unknown[]): Promise<unknown> => undefined),
}) satisfies EventEmitter & Of<Electron.IpcRenderer>;
export const webUtils = {
  getPathForFile: vi.fn((file: { path?: string }) => file.path ?? ''),
} satisfies Of<Electron.WebUtils>;

/** As it was when the module was loaded, but for what modules under test registered when they were loaded. */
export function resetElectron(): void {
  vi.clearAllMocks();
  for (const emitter of [app, ipcRenderer]) emitter.removeAllListeners();
  ipcMain.handlers.clear();
  session.defaultSession = new FakeSession();
  BrowserWindow.opened = [];
  app.isPackaged = false;
}

/** The newest window. */
export function theWindow(): BrowserWindow {
  const window = BrowserWindow.opened.at(-1);
  if (window === undefined) throw new Error('No window was opened.');
  return window;
}
