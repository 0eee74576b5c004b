/**
 * Can the benchmark be trusted on this machine? Three measurements, each on the real runtime:
 *  1. A/A: a model against itself, many times. Each must come out inconclusive.
 *  2. Five percent: a model against one with a twentieth more work. Must be found slower, within a minute.
 *  3. Overhead: what the harness adds to a bare loop around `session.run`.
 *
 * Run: node test/bench/benchmark-trust.ts [aa|five|overhead] [times]. Writes results/benchmark-trust-<part>.json.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runBenchmark } from '../../native-workers/bench/benchmark.ts';
import { median, quantile, sortedCopy } from '../../native-workers/bench/distribution.ts';
import { describeEnvironment } from '../../native-workers/bench/environment.ts';
import { compareBlocks, noiseOf } from '../../native-workers/bench/statistics.ts';
import { timeBlock } from '../../native-workers/bench/time-block.ts';
import { openEngine } from '../../native-workers/runtimes/onnxruntime.ts';
import { matrixChain } from '../helpers/bench-models.ts';
import { loadPercent } from '../helpers/machine-load.ts';

const RESULTS = join(import.meta.dirname, 'results');
const [part = 'aa', times = '5'] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'hone-trust-'));
const engine = await openEngine();

function save(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

/** Compares two models as `hone bench` does and tells the verdict with the noise it was reached in. */
async function compare(before: string, after: string, seconds: number, seed: number): Promise<Record<string, unknown>> {
  const load = loadPercent();
  const start = performance.now();
  const models = [before, after].map((path, index) => ({
    name: `${index}`,
    path,
    label: index === 0 ? 'before' : 'after',
  }));
  const facts = await runBenchmark(
    { models, options: { seconds, threads: [1] }, seed, feedsFor: null },
    { progress: async () => undefined },
  );
  const [a, b] = facts.variants;
  if (a === undefined || b === undefined) throw new Error('The benchmark lost a variant.');
  return {
    seed,
    ...compareBlocks(a.blocks, b.blocks, seed, a.epochs),
    wallSeconds: (performance.now() - start) / 1000,
    epochs: new Set(a.epochs).size,
    runs: [a.blocks.flat().length, b.blocks.flat().length],
    medianMs: [median(a.blocks.flat()), median(b.blocks.flat())],
    drift: noiseOf(a.blocks).drift,
    outliers: noiseOf(a.blocks).outliers,
    machineIndex: facts.environment.machineIndex,
    /** Share of all processors that this and other programs used meanwhile. */
    processorsBusyPercent: load(),
  };
}

async function aa(): Promise<unknown> {
  const model = save('a.onnx', matrixChain(20));
  const rows: Record<string, unknown>[] = [];
  for (let seed = 1; seed <= Number(times); seed++) rows.push(log(await compare(model, model, 20, seed)));
  return {
    question: 'A model against itself: how often is a difference claimed?',
    claimed: rows.filter((row) => row['verdict'] !== 'inconclusive').length,
    of: rows.length,
    rows,
  };
}

async function five(): Promise<unknown> {
  const before = save('20.onnx', matrixChain(20, 256));
  const after = save('21.onnx', matrixChain(21, 256));
  const rows: Record<string, unknown>[] = [];
  for (let seed = 1; seed <= Number(times); seed++) rows.push(log(await compare(before, after, 55, seed)));
  return {
    question: '21 layers against 20, 5 % more work: how often is it found within a minute?',
    found: rows.filter((row) => row['verdict'] === 'slower').length,
    of: rows.length,
    rows,
  };
}

/**
 * Bare and timed loops by turns in one process: the cost of the clock, and what a timed run says of a bare one. Loops are so
 * short (2 ms) that many are not interrupted, and the fastest quarter of each kind is compared, for the machine may be busy.
 */
async function overhead(): Promise<unknown> {
  const rows: Record<string, unknown>[] = [];
  for (const [layers, size] of [
    [2, 16],
    [20, 128],
    [20, 512],
  ] as const) {
    const session = await engine.open(matrixChain(layers, size), { threads: 1 });
    const run = session.bind({ x: { dtype: 'float32', shape: [1, size], data: new Float32Array(size).fill(0.5) } });
    const warm = await timeBlock(run, 200, 200);
    const runs = Math.max(5, Math.round(2 / median(warm)));
    const bare = async (): Promise<number> => {
      const start = performance.now();
      for (let index = 0; index < runs; index++) await run();
      return (performance.now() - start) / runs;
    };
    const timed = async (): Promise<readonly [number, number]> => {
      const start = performance.now();
      const samples = await timeBlock(run, 0, runs);
      return [(performance.now() - start) / runs, samples.reduce((sum, time) => sum + time, 0) / runs];
    };
    const [walls, means, bares]: [number[], number[], number[]] = [[], [], []];
    for (let pair = 0; pair < 400 * Number(times); pair++) {
      if (pair % 2 === 0) bares.push(await bare());
      const [wall, mean] = await timed();
      walls.push(wall);
      means.push(mean);
      if (pair % 2 === 1) bares.push(await bare());
    }
    const fast = (values: readonly number[]): number => quantile(sortedCopy(values), 0.25);
    rows.push(
      log({
        layers,
        size,
        bareMs: fast(bares),
        timedLoopOverBare: fast(walls) / fast(bares),
        reportedRunOverBare: fast(means) / fast(bares),
        pairs: bares.length,
      }),
    );
    await session.release();
  }
  return {
    question: 'A timed loop against a bare one (lower quartiles of loops): its wall time, and the mean that it reports',
    rows,
  };
}

function log(row: Record<string, unknown>): Record<string, unknown> {
  process.stderr.write(`${JSON.stringify(row)}\n`);
  return row;
}

const parts: Record<string, () => Promise<unknown>> = { aa, five, overhead };
try {
  const measured = await parts[part]?.();
  const environment = await describeEnvironment(`${engine.name} ${engine.version}`);
  const result = { measuredAt: new Date().toISOString(), environment, result: measured };
  writeFileSync(join(RESULTS, `benchmark-trust-${part}.json`), `${JSON.stringify(result, null, 2)}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
