/**
 * The app as electron-builder packages it, around an Electron that is none: npm brings no binary of it, and what goes into the
 * folder does not depend on it. The stand-in has the fuses of a real one, for electron-builder to set.
 */
import { execFile } from 'node:child_process';
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative, sep } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { ROOT } from './studio.ts';

/** Marks the fuses in Electron's binary: then a version, their number, and a character each (github.com/electron/fuses). */
const FUSES_MARK = 'dL7pKGdnNz796PbbjQWNKmHXBZaB9tsX';
/** In the order of the binary; as Electron comes. */
const FUSES = [
  ['runAsNode', '1'],
  ['enableCookieEncryption', '0'],
  ['enableNodeOptionsEnvironmentVariable', '1'],
  ['enableNodeCliInspectArguments', '1'],
  ['enableEmbeddedAsarIntegrityValidation', '0'],
  ['onlyLoadAppFromAsar', '0'],
  ['loadBrowserProcessSpecificV8Snapshot', '0'],
  ['grantFileProtocolExtraPrivileges', '1'],
] as const;

export interface PackagedApp {
  readonly resources: string;
  /** Paths from the resources folder, with forward slashes. */
  readonly files: readonly string[];
  /** Paths in `app.asar`, and of those the ones that are kept outside. */
  readonly archive: readonly string[];
  readonly unpacked: readonly string[];
  readonly fuses: Readonly<Record<string, boolean>>;
}

/** Packages the built app for Linux on this processor into `folder`. Needs `node build.ts`. */
export async function packageApp(folder: string): Promise<PackagedApp> {
  const electron = join(folder, 'electron');
  await standIn(electron);
  const cli = join(dirname(createRequire(import.meta.url).resolve('electron-builder/package.json')), 'cli.js');
  const args = ['--config', 'electron-builder.ts', '--linux', 'dir', `--${process.arch}`, '--publish', 'never'];
  const places = [`-c.electronDist=${electron}`, `-c.directories.output=${join(folder, 'out')}`];
  await promisify(execFile)(process.execPath, [cli, ...args, ...places], { cwd: ROOT });
  const [name = ''] = (await readdir(join(folder, 'out'))).filter((entry) => entry.endsWith('unpacked'));
  const app = join(folder, 'out', name);
  const resources = join(app, 'resources');
  return {
    resources,
    files: await filesOf(resources),
    ...archiveFiles(await readFile(join(resources, 'app.asar'))),
    fuses: readFuses(await readFile(join(app, 'hone'))),
  };
}

async function standIn(folder: string): Promise<void> {
  await mkdir(join(folder, 'locales'), { recursive: true });
  await mkdir(join(folder, 'resources'));
  const fuses = Buffer.concat([
    Buffer.from(FUSES_MARK),
    Buffer.from([1, FUSES.length]),
    Buffer.from(FUSES.map(([, state]) => state).join('')),
  ]);
  await writeFile(join(folder, 'electron'), fuses);
  await chmod(join(folder, 'electron'), 0o755);
  for (const file of ['version', 'LICENSE', 'LICENSES.chromium.html', 'chrome-sandbox', 'locales/en-US.pak']) {
    await writeFile(join(folder, file), '');
  }
}

function readFuses(binary: Buffer): Record<string, boolean> {
  const start = binary.indexOf(FUSES_MARK) + FUSES_MARK.length + 2;
  return Object.fromEntries(
    FUSES.map(([name], index) => [name, binary.toString('latin1', start + index, start + index + 1) === '1']),
  );
}

async function filesOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort();
}

interface Entry {
  readonly files?: Record<string, Entry> | undefined;
  readonly unpacked?: boolean | undefined;
}
const entrySchema: z.ZodType<Entry> = z.lazy(() =>
  z.object({ files: z.record(z.string(), entrySchema).optional(), unpacked: z.boolean().optional() }),
);

/** The head of an archive (github.com/electron/asar): four 32-bit lengths, the last that of the JSON that follows. */
function archiveFiles(archive: Buffer): { archive: string[]; unpacked: string[] } {
  const header = entrySchema.parse(JSON.parse(archive.toString('utf8', 16, 16 + archive.readUInt32LE(12))));
  const all: [string, Entry][] = [];
  const walk = (entry: Entry, path: string): void => {
    for (const [name, child] of Object.entries(entry.files ?? {})) {
      if (child.files === undefined) all.push([path + name, child]);
      walk(child, `${path}${name}/`);
    }
  };
  walk(header, '');
  return {
    archive: all.map(([path]) => path).sort(),
    unpacked: all.filter(([, entry]) => entry.unpacked === true).map(([path]) => path),
  };
}
