import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { runBenchmark } from '../../../native-workers/bench/benchmark.ts';
import type { ModelToRun } from '../../../native-workers/bench/plan.ts';
import { compareBlocks } from '../../../native-workers/bench/statistics.ts';
import { HoneError } from '../../../native-workers/protocol/errors.ts';
import { benchmarkFactsSchema } from '../../../native-workers/protocol/facts.ts';
import type { Progress } from '../../../native-workers/protocol/messages.ts';
import { matrixChain } from '../../helpers/bench-models.ts';
import { tinyOnnx } from '../../helpers/tiny-onnx.ts';

const folder = mkdtempSync(join(tmpdir(), 'hone-bench-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function model(name: string, bytes: Uint8Array): ModelToRun {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return { name, path, label: name };
}

const quick = { seconds: 0.1, threads: [1] };
const quiet = { progress: async () => undefined };
const small = model('small.onnx', matrixChain(2, 32));
const large = model('large.onnx', matrixChain(40, 64));
const broken = model(
  'broken.onnx',
  tinyOnnx({
    nodes: [{ type: 'Foo', inputs: ['x'], outputs: ['y'], name: 'odd one' }],
    inputs: [{ name: 'x', shape: [1] }],
    outputs: [{ name: 'y', shape: [1] }],
  }),
);

/** Ids of this process's children; Linux only. */
function children(): string[] {
  return readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8').split(' ').filter(Boolean);
}

describe('runBenchmark', () => {
  it('measures in turns, in fresh processes, and keeps what it measured by block', async () => {
    const phases = new Set<string>();
    const context = { progress: async ({ phase }: Progress) => void phases.add(phase) };
    const facts = await runBenchmark({ models: [large, small], options: quick, seed: 5, feedsFor: null }, context);
    expect(benchmarkFactsSchema.parse(facts)).toEqual(facts);
    const [a, b] = facts.variants;
    for (const [index, variant] of [a, b].entries()) {
      expect(variant?.error).toBeUndefined();
      expect(variant).toMatchObject({ provider: 'cpu', threads: 1, batch: 1, inputSource: 'seeded' });
      expect(variant?.blocks.length).toBe(facts.order.filter((entry) => entry === index).length);
      expect(variant?.epochs).toHaveLength(variant?.blocks.length ?? 0);
      expect(new Set(variant?.epochs).size).toBe(3);
      expect(variant?.coldStart).toHaveLength(3);
      expect(variant?.warmup).toBeGreaterThan(1);
      expect(variant?.peakRss).toBeGreaterThan(2 ** 24);
      for (const start of variant?.coldStart ?? [])
        expect(Math.min(start.load, start.create, start.firstRun)).toBeGreaterThan(0);
      for (const time of variant?.blocks.flat() ?? []) expect(time).toBeGreaterThan(0);
    }
    expect(a?.inputs).toEqual([{ name: 'x', dtype: 'float32', shape: [1, 64] }]);
    expect(facts.environment.machineIndex?.before).toBeGreaterThan(0);
    // Forty layers against two: no noise turns that round.
    expect(compareBlocks(a?.blocks ?? [], b?.blocks ?? [], 1, a?.epochs).value).toBeLessThan(0.5);
    expect(phases).toContain('starting');
    expect(phases).toContain('measuring, start 3');
  });

  it('orders blocks by the seed', async () => {
    const order = async (seed: number) =>
      (await runBenchmark({ models: [small, large, small], options: quick, seed, feedsFor: null }, quiet)).order.slice(
        0,
        3,
      );
    expect(await order(1)).toEqual(await order(1));
    expect(new Set([...(await order(1))]).size).toBe(3);
  });

  it('gives a variant that fails a row with its error, and measures the others', async () => {
    const missing = { name: 'gone', path: join(folder, 'gone.onnx'), label: 'gone' };
    const request = { models: [small, broken, missing], options: { ...quick, batch: [1] }, seed: 1, feedsFor: null };
    const { variants } = await runBenchmark(request, quiet);
    expect(variants.map(({ error }) => error?.code)).toEqual([undefined, 'runtime-rejected-model', 'file-missing']);
    expect(variants[1]?.error?.where).toMatchObject({ node: 'odd one' });
    expect(variants[0]?.blocks.flat().length).toBeGreaterThan(0);
    expect(variants[1]).toMatchObject({ blocks: [], coldStart: [], peakRss: null });
  });

  it('refuses a provider that does not exist, and tells of one that does not start', async () => {
    const request = (provider: string) => ({
      models: [small],
      options: { ...quick, provider: [provider] },
      seed: 1,
      feedsFor: null,
    });
    await expect(runBenchmark(request('abacus'), quiet)).rejects.toMatchObject({ code: 'provider-unavailable' });
    const absent = process.platform === 'darwin' ? 'dml' : 'coreml';
    const { variants } = await runBenchmark(request(absent), quiet);
    expect(variants[0]?.error?.code).toBe('provider-unavailable');
  });

  it('runs the wasm build', async () => {
    const { variants } = await runBenchmark(
      { models: [small], options: { ...quick, provider: ['wasm'] }, seed: 1, feedsFor: null },
      quiet,
    );
    expect(variants[0]?.error).toBeUndefined();
    expect(variants[0]?.blocks.flat().length).toBeGreaterThan(0);
  });

  it('profiles by operator and runs sustained load when asked', async () => {
    const options = { ...quick, profile: true, sustained: 0.005 };
    const { variants } = await runBenchmark({ models: [small], options, seed: 1, feedsFor: null }, quiet);
    const [variant] = variants;
    expect(variant?.warnings).toBeUndefined();
    expect(variant?.placement).toEqual({ cpu: expect.any(Number) });
    const profile = new Map(variant?.profile?.map(({ operator, nodes }) => [operator, nodes]));
    expect(profile.get('MatMul')).toBe(2);
    expect(variant?.sustained?.[0]).toEqual({ second: expect.any(Number), median: expect.any(Number) });
  });

  it('runs on the inputs that it is given, and says so', async () => {
    const feeds = { x: { dtype: 'float32', shape: [3, 32], data: new Float32Array(96) } } as const;
    const { variants } = await runBenchmark(
      { models: [small], options: quick, seed: 1, feedsFor: async () => feeds },
      quiet,
    );
    expect(variants[0]).toMatchObject({ batch: 3, inputSource: 'user', inputs: [{ name: 'x', shape: [3, 32] }] });
    const failing = async () => {
      throw new HoneError('data-empty', 'No samples.');
    };
    const failed = await runBenchmark({ models: [small], options: quick, seed: 1, feedsFor: failing }, quiet);
    expect(failed.variants[0]?.error?.code).toBe('data-empty');
  });

  it('stops when cancelled and leaves no process behind', async () => {
    let calls = 0;
    const progress = async () => {
      if (++calls > 4) throw new HoneError('cancelled', 'Stop.');
    };
    const request = { models: [small, large], options: { seconds: 60 }, seed: 1, feedsFor: null };
    await expect(runBenchmark(request, { progress })).rejects.toMatchObject({ code: 'cancelled' });
    expect(calls).toBe(5);
    if (process.platform === 'linux') expect(children()).toEqual([]);
  });
});
