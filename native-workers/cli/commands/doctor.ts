/** `hone doctor`: what this machine has for Hone, what is missing, and how to get it. */
import { access, constants } from 'node:fs/promises';
import { arch, availableParallelism, cpus, freemem, platform, release, totalmem } from 'node:os';
import { dirname } from 'node:path';
import type { Command } from 'commander';
import { findChromium, findElectron } from '../../host/desktop.ts';
import { freeBytes } from '../../host/disk.ts';
import { defaultLibrary } from '../../host/run-store.ts';
import type { JobResult } from '../../protocol/jobs.ts';
import { HONE_VERSION } from '../../protocol/version.ts';
import { formatBytes } from '../../report/format.ts';
import type { Cli } from '../cli.ts';
import { runOneJob } from '../supervised.ts';
import { pairs, table } from '../text.ts';

interface HostFacts {
  readonly hone: string;
  readonly node: string;
  readonly os: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memory: { readonly total: number; readonly free: number };
  readonly electron: string | null;
  readonly chromium: string | null;
  readonly library: { readonly folder: string; readonly writable: boolean; readonly freeBytes: number | null };
}

interface Missing {
  readonly name: string;
  /** What is not possible without it. */
  readonly effect: string;
  readonly how: string;
}

/** Runs that keep models write at least a copy of them. */
const LITTLE_DISK = 2e9;

export function doctorCommand(cli: Cli): Command {
  return cli.command('doctor', 'Show what this machine has, what is missing, and how to get it.').action(() =>
    cli.run(async (context) => {
      const engines = await runOneJob('doctor', {}, context);
      const host = await hostFacts();
      const missing = whatIsMissing(engines, host);
      return { json: { ...engines, ...host, missing }, text: doctorText(engines, host, missing) };
    }),
  );
}

async function hostFacts(): Promise<HostFacts> {
  const library = defaultLibrary();
  return {
    hone: HONE_VERSION,
    node: process.versions.node,
    os: `${platform()} ${release()} ${arch()}`,
    cpu: cpus()[0]?.model ?? 'not known',
    cores: availableParallelism(),
    memory: { total: totalmem(), free: freemem() },
    electron: findElectron(),
    chromium: findChromium(),
    library: {
      folder: library,
      writable: await isWritable(library),
      freeBytes: await freeBytes(library).catch(() => null),
    },
  };
}

/** A folder that is not there yet counts as its parent does. */
async function isWritable(folder: string): Promise<boolean> {
  try {
    await access(folder, constants.W_OK);
    return true;
  } catch (thrown) {
    const absent = thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT';
    return absent && dirname(folder) !== folder && isWritable(dirname(folder));
  }
}

export function whatIsMissing({ providers }: JobResult<'doctor'>, host: HostFacts): Missing[] {
  const { library } = host;
  const missing: (Missing | null)[] = [
    host.electron !== null
      ? null
      : {
          name: 'Electron',
          effect: 'The studio opens in a browser instead of a window of its own.',
          how: 'Run `npx install-electron` where its release page can be reached, or set ELECTRON_OVERRIDE_DIST_PATH to an unpacked one.',
        },
    host.chromium !== null
      ? null
      : {
          name: 'Chromium',
          effect: 'Providers that run in a browser and the end-to-end tests are not available.',
          how: 'Install Chromium or Chrome, or set HONE_CHROMIUM to its path.',
        },
    library.writable
      ? null
      : {
          name: 'Library folder',
          effect: `Runs cannot be kept: ${library.folder} cannot be written.`,
          how: 'Change its permissions, or set HONE_LIBRARY to another folder.',
        },
    library.freeBytes === null || library.freeBytes >= LITTLE_DISK
      ? null
      : {
          name: 'Disk space',
          effect: `The disk of the library has ${formatBytes(library.freeBytes)} left: runs of large models will fail.`,
          how: 'Delete old runs, or set HONE_LIBRARY to a folder on another disk.',
        },
    providers.some(({ name, available }) => name === 'cpu' && available)
      ? null
      : {
          name: 'ONNX Runtime',
          effect: 'Models can be inspected, but not run.',
          how: 'Run `npm ci` again on a platform that onnxruntime-node supports.',
        },
  ];
  return missing.filter((row) => row !== null);
}

function doctorText({ runtime, providers }: JobResult<'doctor'>, host: HostFacts, missing: readonly Missing[]): string {
  const { library, memory } = host;
  const free = library.freeBytes === null ? 'unknown room' : `${formatBytes(library.freeBytes)} free`;
  const parts = [
    pairs([
      ['hone', `${host.hone} on Node ${host.node}`],
      ['runtime', `${runtime.name} ${runtime.version}`],
      ['system', host.os],
      ['processor', `${host.cpu}, ${host.cores} cores`],
      ['memory', `${formatBytes(memory.total)}, ${formatBytes(memory.free)} free`],
      ['library', `${library.folder}, ${library.writable ? free : 'not writable'}`],
      ['electron', host.electron ?? 'not downloaded'],
      ['chromium', host.chromium ?? 'not found'],
    ]),
    table(
      [{ title: 'provider' }, { title: 'available' }, { title: '' }],
      providers.map(({ name, available, reason, devices }) => [
        name,
        available ? 'yes' : 'no',
        reason ?? devices?.join(', ') ?? '',
      ]),
    ),
  ];
  const rows = missing.map(({ name, effect, how }) => `- ${name}: ${effect}\n  ${how}`);
  parts.push(rows.length === 0 ? 'Nothing is missing.' : `missing\n${rows.join('\n')}`);
  return parts.join('\n\n');
}
