import { describe, expect, it } from 'vitest';
import { buildReport } from '../../../native-workers/report/build.ts';
import type { Hint } from '../../../native-workers/report/document.ts';
import { goldenInput, goldenReport } from '../../helpers/report-runs.ts';

type Row = readonly [operator: string, nodes: number, ms: number];

async function hintsFor(before: readonly Row[], after: readonly Row[]): Promise<Hint[]> {
  const { manifest, facts } = structuredClone(await goldenInput('mobilenet-int8'));
  if (facts.optimize !== null) facts.optimize.fusion = null;
  for (const variant of facts.benchmark?.variants ?? []) {
    const rows = variant.model === 'source' ? before : after;
    variant.profile = rows.map(([operator, nodes, ms]) => ({ operator, nodes, ms }));
  }
  return buildReport(manifest, facts).hints;
}

describe('hints', () => {
  it('count a quantized kernel with the operator whose work it does', async () => {
    const hints = await hintsFor(
      [
        ['Conv', 52, 20],
        ['MatMul', 2, 4],
      ],
      [
        ['QLinearConv', 52, 6],
        ['DynamicQuantizeMatMul', 2, 1],
      ],
    );
    expect(hints.map(({ direction, ms }) => [direction, ms])).toEqual([
      ['faster', -14],
      ['faster', -3],
    ]);
    expect(hints[0]?.message).toBe('Conv: 14.0 ms a run less than before (52 nodes before, 52 QLinearConv after).');
  });

  it('name conversions as what they are', async () => {
    const hints = await hintsFor(
      [['Conv', 4, 10]],
      [
        ['Conv', 4, 10],
        ['Cast', 9, 3],
      ],
    );
    expect(hints).toEqual([
      {
        code: 'operator-slower',
        direction: 'slower',
        ms: 3,
        message: 'Cast (conversion between number types): new, and takes 3.00 ms a run in 9 nodes.',
      },
    ]);
  });

  it('leave out what is below two percent of the time, and are at most five', async () => {
    const many = Array.from({ length: 8 }, (_, index): Row => [`Operator${index}`, 1, 10]);
    expect(await hintsFor(many, [])).toHaveLength(5);
    expect(
      await hintsFor(
        [
          ['Conv', 1, 100],
          ['Relu', 1, 1],
        ],
        [['Conv', 1, 100]],
      ),
    ).toEqual([]);
  });

  it('name nodes that did not fuse, also without a profile', async () => {
    const { hints } = await goldenReport('mobilenet-int8');
    expect(hints.find(({ code }) => code === 'unfused')).toMatchObject({
      ms: null,
      message: '1 node did not become QLinearAdd: /features/features.14/Add.',
    });
    expect((await goldenReport('resnet-float16')).hints).toEqual([]);
  });
});
