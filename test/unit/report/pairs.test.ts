import { describe, expect, it } from 'vitest';
import type { BenchmarkFacts } from '../../../native-workers/protocol/facts.ts';
import { pairsOf } from '../../../native-workers/report/pairs.ts';
import { goldenInput } from '../../helpers/report-runs.ts';

async function pairsWith(change: (benchmark: BenchmarkFacts) => void): Promise<[number, number][]> {
  const input = structuredClone(await goldenInput('mobilenet-int8'));
  if (input.facts.benchmark === null) throw new Error('The golden run was benchmarked.');
  change(input.facts.benchmark);
  return pairsOf(input.facts.benchmark, input).map(({ before, after }) => [before, after]);
}

describe('pairsOf', () => {
  it('pairs the source with the result under the same conditions', async () => {
    expect(await pairsWith(() => undefined)).toEqual([
      [0, 1],
      [2, 3],
    ]);
    expect(await pairsWith(({ variants }) => variants.reverse())).toEqual([
      [1, 0],
      [3, 2],
    ]);
  });

  it('compares nothing across conditions', async () => {
    expect(
      await pairsWith(({ variants }) => {
        for (const variant of variants) if (variant.model === 'optimized') variant.batch = 8;
      }),
    ).toEqual([]);
  });

  it('knows models by their path too', async () => {
    expect(
      await pairsWith(({ variants }) => {
        for (const variant of variants)
          variant.model =
            variant.model === 'source' ? 'models/mobilenet_v2.onnx' : '/anywhere/models/mobilenet_v2.int8.onnx';
      }),
    ).toEqual([
      [0, 1],
      [2, 3],
    ]);
  });
});
