import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  benchmarkFactsSchema,
  type Manifest,
  type OptimizeFacts,
  type StageName,
} from '../../../native-workers/protocol/facts.ts';
import type { JobRequest } from '../../../native-workers/protocol/jobs.ts';
import { benchmark } from '../../../native-workers/worker/benchmark.ts';
import type { JobContext } from '../../../native-workers/worker/job.ts';
import { stageBenchmark } from '../../../native-workers/worker/stage-benchmark.ts';
import { matrixChain } from '../../helpers/bench-models.ts';
import { temporaryFolder } from '../../helpers/temp.ts';
import { testManifest } from '../../helpers/test-manifest.ts';

const context: JobContext = { progress: async () => undefined, log: () => undefined };
const options = { seconds: 0.1, threads: [1] };

/** A run folder whose optimize stage is as given. */
function runFolder(optimize: OptimizeFacts | null): JobRequest<'stage-benchmark'> {
  const run = temporaryFolder();
  const source = join(run, 'source.onnx');
  writeFileSync(source, matrixChain(8, 32));
  writeFileSync(join(run, 'optimized.onnx'), matrixChain(2, 32));
  const stage = (name: StageName, status: 'done' | 'pending'): Manifest['stages'][number] => ({
    name,
    status,
    ms: null,
    peakRss: null,
  });
  if (optimize !== null) writeFileSync(join(run, '02-optimize.json'), JSON.stringify(optimize));
  const manifest = testManifest({
    source: { path: source, name: 'source.onnx', bytes: 1, sha256: 'ab'.repeat(32) },
    stages: [
      optimize === null ? stage('optimize', 'pending') : { ...stage('optimize', 'done'), file: '02-optimize.json' },
      stage('benchmark', 'pending'),
    ],
  });
  writeFileSync(join(run, 'manifest.json'), JSON.stringify(manifest));
  return {
    run,
    file: '04-benchmark.json',
    request: { model: source, recipe: manifest.recipe, seed: 3, benchmark: options, budgets: {} },
  };
}

const facts = (model: OptimizeFacts['model']): OptimizeFacts => ({ passes: [], model, inspect: null, fusion: null });

const model = {
  id: 'optimized',
  path: 'optimized.onnx',
  bytes: 1,
  sha256: 'cd'.repeat(32),
  parent: 'source',
  label: 'INT8',
};

describe('stage-benchmark', () => {
  it('measures the source against the optimised model and writes the facts', async () => {
    const request = runFolder(facts(model));
    expect(await stageBenchmark(request, context)).toEqual({ models: [] });
    const written = benchmarkFactsSchema.parse(JSON.parse(readFileSync(join(request.run, request.file), 'utf8')));
    expect(written.variants.map(({ model: name, error }) => [name, error])).toEqual([
      ['source', undefined],
      ['optimized', undefined],
    ]);
    expect(written.seed).toBe(3);
  });

  it('times on random inputs where no data can be read, and says so', async () => {
    const request = runFolder(facts(model));
    const empty = join(request.run, 'empty.csv');
    writeFileSync(empty, '');
    const lines: string[] = [];
    await stageBenchmark(
      { ...request, request: { ...request.request, evaluation: empty, calibration: join(request.run, 'gone.npz') } },
      { ...context, log: (_level, message) => void lines.push(message) },
    );
    const written = benchmarkFactsSchema.parse(JSON.parse(readFileSync(join(request.run, request.file), 'utf8')));
    expect(written.variants.map(({ error, inputSource }) => [error, inputSource])).toEqual([
      [undefined, 'seeded'],
      [undefined, 'seeded'],
    ]);
    expect(lines).toEqual([
      expect.stringContaining('not timed on empty.csv'),
      expect.stringContaining('not timed on gone.npz'),
    ]);
  });

  it('fails when not one variant runs, with the error of the first', async () => {
    const request = runFolder(facts(model));
    const benchmarkOptions = { ...options, batch: [7] };
    writeFileSync(join(request.run, 'source.onnx'), matrixChain(8, 32, 4));
    writeFileSync(join(request.run, 'optimized.onnx'), matrixChain(2, 32, 4));
    await expect(
      stageBenchmark({ ...request, request: { ...request.request, benchmark: benchmarkOptions } }, context),
    ).rejects.toMatchObject({ code: 'data-mismatch', message: expect.stringContaining('cannot be run with 7') });
  });

  it('is skipped, with the reason, when there is nothing to compare', async () => {
    expect(await stageBenchmark(runFolder(facts(null)), context)).toMatchObject({
      skipped: expect.stringContaining('No pass'),
    });
    expect(await stageBenchmark(runFolder(null), context)).toMatchObject({
      skipped: expect.stringContaining('optimize'),
    });
  });
});

describe('benchmark', () => {
  it('names models by their paths', async () => {
    const model = join(temporaryFolder(), 'one.onnx');
    writeFileSync(model, matrixChain(2, 16));
    const { variants } = await benchmark({ models: [model], options, seed: 1 }, context);
    expect(variants[0]).toMatchObject({ model, label: 'one.onnx (cpu, 1 thread)', inputSource: 'seeded' });
    expect(variants[0]?.error).toBeUndefined();
  });

  it('makes missing data an error of the variants that wanted it', async () => {
    const folder = temporaryFolder();
    const model = join(folder, 'one.onnx');
    writeFileSync(model, matrixChain(2, 16));
    const { variants } = await benchmark(
      { models: [model], options, seed: 1, data: join(folder, 'none.npz') },
      context,
    );
    expect(variants[0]?.error?.code).toBe('file-missing');
  });
});
