/**
 * Measures what Hone does with a model of 4 GB with external data: `inspect`, and a streaming rewrite to float16. Each in a
 * fresh process, three times; the middle one counts. The rewrite ends when its files are flushed, so the disk counts too: a
 * plain copy of the weights file, flushed, stands beside it. Set TMPDIR to a folder in memory to measure Hone without a disk.
 * Writes test/bench/results/onnx-large.json, or the name given.
 *
 * Run: node test/bench/onnx-large.ts [gigabytes] [result name]
 */
import { execFileSync } from 'node:child_process';
import { closeSync, fsyncSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeOnnx } from '../../native-workers/formats/onnx/write.ts';
import { openModel } from '../../native-workers/formats/registry.ts';
import { Tensor } from '../../native-workers/graph/tensor.ts';
import { ConvertedData } from '../../native-workers/graph/tensor-data.ts';
import { float32ToFloat16Bytes } from '../../native-workers/lib/half.ts';
import { peakMemory } from '../../native-workers/lib/peak-memory.ts';
import { inspectModel } from '../../native-workers/worker/inspect.ts';
import { writeBenchResults } from '../helpers/bench-results.ts';
import { writeLargeModel } from '../helpers/large-model.ts';

/** What each process is asked to do; `seconds` is of the work, `wall` (taken outside) of the whole process. */
const TASKS = {
  inspect: async (path: string): Promise<number> => (await inspectModel(await openModel(path))).bytes.total,
  'float16 rewrite': async (path: string): Promise<number> => {
    const model = await openModel(path);
    for (const value of model.graph.initializers) {
      const { tensor } = value;
      if (tensor?.dtype !== 'float32') continue;
      const data = new ConvertedData(tensor.data, 4, 2, float32ToFloat16Bytes);
      value.tensor = new Tensor({ dtype: 'float16', shape: tensor.shape, data });
      value.type = null;
    }
    return (await writeOnnx(model, join(path, '..', 'half.onnx'))).bytes;
  },
} as const;
type Task = keyof typeof TASKS;

/** Megabytes a second of reading a file and writing half of it, flushed: what the disk allows a rewrite to float16. */
function diskSpeed(path: string): number {
  const start = performance.now();
  const [source, target] = [openSync(path, 'r'), openSync(`${path}.copy`, 'w')];
  const buffer = Buffer.alloc(8 << 20);
  let bytes = 0;
  for (let got = readSync(source, buffer); got > 0; got = readSync(source, buffer)) {
    writeSync(target, buffer, 0, got / 2);
    bytes += got;
  }
  fsyncSync(target);
  closeSync(source);
  closeSync(target);
  rmSync(`${path}.copy`);
  return bytes / 1e3 / (performance.now() - start);
}

/** Targets of the project: seconds of the process, megabytes of its peak, megabytes of source a second. */
const TARGETS = {
  inspect: { seconds: 1.5, peakMb: 250, mbPerSecond: null },
  'float16 rewrite': { seconds: null, peakMb: 600, mbPerSecond: 300 },
} as const;

interface Measured {
  readonly seconds: number;
  readonly wall: number;
  readonly peakMb: number;
}

async function child(task: Task, path: string): Promise<void> {
  const start = performance.now();
  await TASKS[task](path);
  const seconds = (performance.now() - start) / 1000;
  process.stdout.write(JSON.stringify({ seconds, peakMb: peakMemory() / 1e6 }));
}

function measure(task: Task, path: string): Measured {
  const start = performance.now();
  const output = execFileSync(process.execPath, [import.meta.filename, task, path], { encoding: 'utf8' });
  const wall = (performance.now() - start) / 1000;
  return { ...(JSON.parse(output) as { seconds: number; peakMb: number }), wall };
}

async function parent(gigabytes: number, name: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'onnx-large-'));
  try {
    const path = join(folder, 'large.onnx');
    const { bytes } = await writeLargeModel(path, gigabytes * 1e9);
    const diskMbPerSecond = diskSpeed(`${path}.data`);
    const results = (Object.keys(TASKS) as Task[]).map((task) => {
      const runs = [1, 2, 3].map(() => measure(task, path)).sort((a, b) => a.wall - b.wall);
      const middle = runs[1] as Measured;
      const mbPerSecond = bytes / 1e6 / middle.seconds;
      return { task, ...middle, mbPerSecond, target: TARGETS[task], runs };
    });
    writeBenchResults(name, { bytes, folder: tmpdir(), diskMbPerSecond, results });
    process.stdout.write(
      `${results
        .map(({ task, wall, seconds, peakMb, mbPerSecond }) => {
          const speed = task === 'inspect' ? '' : `, ${mbPerSecond.toFixed(0)} MB/s of source`;
          return `${task}: ${wall.toFixed(2)} s with start (${seconds.toFixed(2)} s of work${speed}), peak ${peakMb.toFixed(0)} MB\n`;
        })
        .join('')}the disk alone: ${diskMbPerSecond.toFixed(0)} MB/s of source\n`,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const [first = '4', second = 'onnx-large'] = process.argv.slice(2);
if (first in TASKS) await child(first as Task, second);
else await parent(Number(first), second);
