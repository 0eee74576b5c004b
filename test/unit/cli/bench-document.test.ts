import { describe, expect, it } from 'vitest';
import { benchDocument } from '../../../native-workers/cli/bench-document.ts';
import { HoneError } from '../../../native-workers/protocol/errors.ts';
import type { BenchmarkFacts } from '../../../native-workers/protocol/facts.ts';

type Variant = BenchmarkFacts['variants'][number];

function variant(id: string, changes: Partial<Variant> = {}): Variant {
  return {
    id,
    label: `variant ${id}`,
    model: 'a.onnx',
    provider: 'cpu',
    threads: 1,
    batch: 1,
    warmup: 5,
    blocks: [
      [1, 3],
      [2, 2],
    ],
    epochs: [0, 1],
    coldStart: [
      { load: 1, create: 10, firstRun: 5 },
      { load: 3, create: 30, firstRun: 1 },
      { load: 2, create: 20, firstRun: 3 },
    ],
    peakRss: 1000,
    ...changes,
  };
}

const facts = (...variants: Variant[]): BenchmarkFacts => ({
  environment: {
    os: 'test',
    cpu: 'test',
    cores: 1,
    memory: 1,
    features: [],
    node: '24',
    hone: '0.1.0',
    engine: 'test',
    machineIndex: null,
    load: null,
    governor: null,
    virtual: null,
  },
  seed: 1,
  order: [],
  variants,
});

const compared = (...variants: Variant[]): string[] =>
  benchDocument(facts(...variants)).comparisons.map(({ a, b }) => `${b}/${a}`);

describe('variants', () => {
  it('have statistics of their samples and medians of their cold starts', () => {
    const [only] = benchDocument(facts(variant('1'))).variants;
    expect(only).toMatchObject({
      samples: [1, 3, 2, 2],
      stats: { mean: 2, min: 1, max: 3, p50: 2, count: 4, warmup: 5, throughput: 500 },
      coldStart: { load: 2, create: 20, firstRun: 3 },
      peakRss: 1000,
    });
  });

  it('that could not be run have an error and no numbers', () => {
    const error = new HoneError('provider-unavailable', 'There is no cuda.').toData();
    const [only] = benchDocument(facts(variant('1', { blocks: [], coldStart: [], error }))).variants;
    expect(only).toMatchObject({ stats: null, coldStart: null, samples: [], error });
  });
});

describe('comparisons', () => {
  it('are of models under the same setting', () => {
    const b = { model: 'b.onnx' };
    const two = { threads: 2 };
    expect(compared(variant('1'), variant('2', b), variant('3', two), variant('4', { ...b, ...two }))).toEqual([
      '2/1',
      '4/3',
    ]);
  });

  it('are of a model with itself when it is given twice', () => {
    expect(compared(variant('1'), variant('2'), variant('3', { threads: 2 }), variant('4', { threads: 2 }))).toEqual([
      '2/1',
      '4/3',
    ]);
  });

  it('are of settings when there is one model', () => {
    expect(compared(variant('1'), variant('2', { threads: 2 }), variant('3', { batch: 8 }))).toEqual(['2/1', '3/1']);
  });

  it('leave out what could not be run', () => {
    expect(
      compared(variant('1'), variant('2', { model: 'b.onnx', blocks: [] }), variant('3', { model: 'c.onnx' })),
    ).toEqual(['3/1']);
    expect(compared(variant('1', { blocks: [] }), variant('2', { model: 'b.onnx' }))).toEqual([]);
  });
});
