/** The command line as a real process, with a library of its own. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { onTestFinished } from 'vitest';
import { findWorker } from '../../native-workers/host/worker-path.ts';
import { ROOT } from './sources.ts';

export interface HoneOutput {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface HoneProcess {
  readonly child: ChildProcessByStdio<null, Readable, Readable>;
  readonly ended: Promise<HoneOutput>;
  /** What it wrote so far. */
  readonly written: () => { readonly out: string; readonly err: string };
}

/** Starts `hone ARGS`; it is gone when the test is over. */
export function startHone(library: string, args: readonly string[]): HoneProcess {
  const child = spawn(findWorker().node, [join(ROOT, 'native-workers', 'cli', 'main.ts'), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, HONE_LIBRARY: library },
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (piece: Buffer) => {
    out += piece;
  });
  child.stderr.on('data', (piece: Buffer) => {
    err += piece;
  });
  const ended = new Promise<HoneOutput>((done) => child.on('close', (code) => done({ code, out, err })));
  return { child, ended, written: () => ({ out, err }) };
}

export function hone(library: string, ...args: string[]): Promise<HoneOutput> {
  return startHone(library, args).ended;
}

/** The one document on standard output; throws when there is anything else. */
export async function honeJson(library: string, ...args: string[]): Promise<{ code: number | null; json: unknown }> {
  const { code, out } = await hone(library, ...args, '--json');
  return { code, json: JSON.parse(out) };
}
