/**
 * `npm start`: opens the studio, in Electron where its binary is or can be had, otherwise in the browser, saying which and why.
 * `--browser` does not try Electron; `--dev` builds the renderer again at every change; `--port N` as in `hone serve`.
 */
import { spawn } from 'node:child_process';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { builtFolder } from '../host/built.ts';
import { downloadElectron, findElectron, hasDisplay } from '../host/desktop.ts';
import { HoneError } from '../protocol/errors.ts';
import { Cli, type Context } from './cli.ts';
import { port, serve } from './commands/serve.ts';
import { endOnInterrupt } from './interrupt.ts';

const ROOT = join(import.meta.dirname, '..', '..');
/** Long enough for 120 MB over a slow line, short enough to wait for. */
const DOWNLOAD_MS = 180_000;
/** An Electron that ends with an error before this has not opened a window. */
const OPENED_MS = 10_000;

/** What the built files are made from. */
const SOURCES = ['renderer', 'electron', 'native-workers', 'build.ts', 'vite.config.ts', 'package-lock.json'];
/** One file of each output of the build, written by every build of it. */
const BUILT = {
  renderer: 'index.html',
  'report-view': 'report-view.js',
  electron: 'main.js',
  worker: 'main.js',
} as const;

interface Flags {
  readonly browser?: boolean;
  readonly dev?: boolean;
  readonly port?: number;
}

async function start(flags: Flags, context: Context): Promise<null> {
  const obstacle =
    flags.browser === true || flags.dev === true ? 'the browser was asked for' : await openElectron(context);
  if (obstacle === null) return null;
  await buildWhatIsStale(['renderer', 'report-view'], context);
  context.say(`The studio opens in the browser, not in Electron: ${obstacle}.`);
  if (flags.dev === true) {
    const watcher = spawn(process.execPath, [join(ROOT, 'build.ts'), 'renderer', '--watch'], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    context.signal.addEventListener('abort', () => watcher.kill());
  }
  return serve({ open: hasDisplay(), ...(flags.port === undefined ? {} : { port: flags.port }) }, context);
}

async function buildWhatIsStale(outputs: readonly (keyof typeof BUILT)[], context: Context): Promise<void> {
  const newest = Math.max(...(await Promise.all(SOURCES.map((name) => newestChange(join(ROOT, name))))));
  const built = await Promise.all(outputs.map((name) => changedAt(join(builtFolder(name), BUILT[name]))));
  const stale = outputs.filter((_name, index) => (built[index] ?? 0) < newest);
  if (stale.length === 0) return;
  context.say(`Building ${stale.join(', ')}.`);
  const code = await new Promise<number | null>((done) => {
    spawn(process.execPath, [join(ROOT, 'build.ts'), ...stale], { stdio: ['ignore', 'ignore', 'inherit'], cwd: ROOT })
      .on('error', () => done(null))
      .on('close', done);
  });
  if (code !== 0) throw new HoneError('studio-not-built', 'The build failed; what went wrong stands above.');
}

async function newestChange(path: string): Promise<number> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch(() => null);
  if (entries === null) return changedAt(path);
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Math.max(0, ...(await Promise.all(files.map(changedAt))));
}

/** 0 for what is not there. */
function changedAt(path: string): Promise<number> {
  return stat(path).then(
    (facts) => facts.mtimeMs,
    () => 0,
  );
}

/** Opens the studio in Electron and waits until it is closed. Returns why that was not possible, or null. */
async function openElectron(context: Context): Promise<string | null> {
  if (!hasDisplay()) return 'this session has no display';
  // Electron's sandbox does not work for root on Linux, and we do not turn it off.
  if (process.platform === 'linux' && process.getuid?.() === 0) return 'it does not run as root';
  if (findElectron() === null) {
    context.say('Downloading Electron.');
    const failure = await downloadElectron(DOWNLOAD_MS);
    if (failure !== null) return `its binary could not be downloaded (${failure})`;
  }
  const binary = findElectron();
  if (binary === null) return 'its binary is not where it should be';
  await buildWhatIsStale(['renderer', 'report-view', 'electron', 'worker'], context);
  const startedAt = performance.now();
  return new Promise((done) => {
    const app = spawn(binary, [ROOT], { stdio: 'inherit' });
    context.signal.addEventListener('abort', () => app.kill());
    app.on('error', (error) => done(error.message));
    app.on('close', (code) => {
      const opened = code === 0 || context.signal.aborted || performance.now() - startedAt > OPENED_MS;
      done(opened ? null : `it ended with ${code} before it opened`);
    });
  });
}

const cli = new Cli(process, false);
endOnInterrupt(cli);
await cli
  .command('start', 'Open the studio.')
  .option('--browser', 'do not try Electron')
  .option('--dev', 'build the renderer again at every change')
  .option('--port <n>', 'port of the browser host', port)
  .action((flags: Flags) => cli.run((context) => start(flags, context)))
  .parseAsync()
  .catch((thrown: unknown) => cli.fail(thrown));
process.exitCode = cli.exitCode;
