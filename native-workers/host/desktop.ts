/** What this machine can show the studio in: Electron's binary, which npm does not bring along, or a browser. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join } from 'node:path';

/** The folder of the npm package, null where it is not installed (it is a development dependency). */
function electronPackage(): string | null {
  try {
    return dirname(createRequire(import.meta.url).resolve('electron/package.json'));
  } catch {
    return null;
  }
}

/** Electron's binary, where it was downloaded; `ELECTRON_OVERRIDE_DIST_PATH` names another folder for it, as Electron has it. */
export function findElectron(): string | null {
  const folder = electronPackage();
  if (folder === null) return null;
  const override = process.env['ELECTRON_OVERRIDE_DIST_PATH'];
  const written = join(folder, 'path.txt');
  const name = existsSync(written) ? readFileSync(written, 'utf8').trim() : override === undefined ? null : 'electron';
  if (name === null) return null;
  const binary = join(override ?? join(folder, 'dist'), name);
  return existsSync(binary) ? binary : null;
}

/** Whether this session can show a window. */
export function hasDisplay(): boolean {
  return process.platform !== 'linux' || Boolean(process.env['DISPLAY'] || process.env['WAYLAND_DISPLAY']);
}

/** Downloads Electron's binary with the package's own script. Resolves with why it failed, or null when it did not. */
export function downloadElectron(timeoutMs: number): Promise<string | null> {
  const folder = electronPackage();
  if (folder === null) return Promise.resolve('the package electron is not installed');
  return new Promise((done) => {
    const child = spawn(process.execPath, [join(folder, 'install.js')], {
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    });
    let output = '';
    child.stderr.on('data', (piece: Buffer) => {
      output = (output + piece).slice(-10_000);
    });
    child.on('error', (error) => done(error.message));
    child.on('close', (code, signal) => {
      if (code === 0) return done(null);
      if (signal !== null) return done(`it did not finish in ${Math.round(timeoutMs / 1000)} s`);
      done(/^\s*(?:\w*Error): (.+)$/m.exec(output)?.[1] ?? `its install script ended with ${code}`);
    });
  });
}

const CHROMIUM_NAMES = [
  'chromium',
  'chromium-browser',
  'google-chrome',
  'google-chrome-stable',
  'chrome',
  'microsoft-edge',
  'msedge',
];
const CHROMIUM_PATHS = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge',
];

/** A browser of Chromium's family on this machine, for GPU runtimes and end-to-end tests; `HONE_CHROMIUM` names one. */
export function findChromium(): string | null {
  const asked = process.env['HONE_CHROMIUM'];
  if (asked !== undefined) return existsSync(asked) ? asked : null;
  const suffix = process.platform === 'win32' ? '.exe' : '';
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  const windows = ['PROGRAMFILES', 'PROGRAMFILES(X86)', 'LOCALAPPDATA'].flatMap((name) => {
    const folder = process.env[name];
    return folder === undefined
      ? []
      : [join(folder, 'Google/Chrome/Application/chrome.exe'), join(folder, 'Microsoft/Edge/Application/msedge.exe')];
  });
  const candidates = [
    ...CHROMIUM_NAMES.flatMap((name) => folders.map((folder) => join(folder, name + suffix))),
    ...CHROMIUM_PATHS,
    ...windows,
  ];
  return candidates.find((path) => existsSync(path)) ?? null;
}

/** Opens an address in the user's browser. Resolves with false where there is no way to. */
export function openInBrowser(address: string): Promise<boolean> {
  const commands: Partial<Record<NodeJS.Platform, [string, string[]]>> = {
    darwin: ['open', [address]],
    // `start` is a word of the shell and reads `&` and `^`; the handler of URLs takes the address as it is.
    win32: ['rundll32', ['url.dll,FileProtocolHandler', address]],
  };
  const [command, args] = commands[process.platform] ?? ['xdg-open', [address]];
  return new Promise((done) => {
    const child = spawn(command, args, { stdio: 'ignore', detached: true });
    child.on('error', () => done(false));
    child.on('spawn', () => {
      child.unref();
      done(true);
    });
  });
}
