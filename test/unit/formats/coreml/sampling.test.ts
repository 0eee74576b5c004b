/** Sampling at computed places, pools with places and determinants, against ONNX Runtime on the source. */
import { describe, expect, it } from 'vitest';
import { stringAttribute } from '../../../../native-workers/graph/attribute.ts';
import type { Model } from '../../../../native-workers/graph/model.ts';
import type { Value } from '../../../../native-workers/graph/value.ts';
import type { HostTensor } from '../../../../native-workers/lib/engine.ts';
import { Random } from '../../../../native-workers/lib/random.ts';
import { openEngine } from '../../../../native-workers/runtimes/onnxruntime.ts';
import { differenceOf, finish, waves } from '../../../helpers/coreml.ts';
import { violations } from '../../../helpers/mil-operators.ts';
import { ModelBuilder } from '../../../helpers/models.ts';
import { hasShared } from '../../../helpers/shared.ts';

const engine = await openEngine();
const FLOAT32 = { precision: 'float32' } as const;

describe('GridSample', () => {
  interface Sampling {
    readonly mode: string;
    readonly padding: string;
    readonly align: number;
    readonly shape: readonly number[];
  }

  function sampling({ mode, padding, align, shape }: Sampling): { model: Model; feeds: Record<string, HostTensor> } {
    const build = new ModelBuilder();
    const rank = shape.length - 2;
    const places = [shape[0] ?? 1, ...Array<number>(rank).fill(5), rank];
    const model = finish(
      build,
      build.op('GridSample', [build.input('x', shape), build.input('grid', places)], 'y', {
        mode: stringAttribute(mode),
        padding_mode: stringAttribute(padding),
        align_corners: align,
      }),
    );
    const grid = waves(places, 2.3);
    // Some places lie outside.
    const outside = (grid.data as Float32Array).map((value) => value * 1.6);
    return { model, feeds: { x: waves(shape), grid: { ...grid, data: outside } } };
  }

  const PADDINGS = ['zeros', 'border', 'reflection'] as const;
  const CASES = [
    ...[0, 1].flatMap((align) => PADDINGS.map((padding) => ({ mode: 'cubic', padding, align, shape: [2, 3, 6, 4] }))),
    ...[0, 1].flatMap((align) =>
      PADDINGS.map((padding) => ({ mode: 'linear', padding, align, shape: [2, 3, 4, 3, 5] })),
    ),
    ...[0, 1].flatMap((align) =>
      PADDINGS.map((padding) => ({ mode: 'nearest', padding, align, shape: [2, 1, 4, 3, 5] })),
    ),
  ];

  it.each(CASES)('$mode of $shape with $padding outside, corners $align', async (each) => {
    const { model, feeds } = sampling(each);
    expect((await differenceOf(engine, model, feeds, FLOAT32)).largest).toBeLessThan(2e-5);
    // Places are counted in float32 beside float16.
    expect((await differenceOf(engine, model, feeds, { precision: 'float16' })).largest).toBeLessThan(5e-3);
  });

  it.skipIf(!hasShared)('reads places in float32 also beside float16, which iOS 15 asks for', async () => {
    const { model, feeds } = sampling({ mode: 'linear', padding: 'zeros', align: 0, shape: [1, 2, 6, 4] });
    const { package: made } = await differenceOf(engine, model, feeds, { target: 'iOS15', precision: 'float16' });
    const [resample] = made.main.operations.filter(({ type }) => type === 'resample');
    expect(resample?.inputs.get('coordinates')?.[0]?.type.dtype).toBe('fp32');
    expect(violations(made.main, 15)).toEqual([]);
  });
});

describe('MaxPool', () => {
  it.each([
    [[1, 2, 7, 6], { kernel_shape: [3, 2], strides: [2, 1], pads: [1, 0, 1, 1], storage_order: 0 }],
    [[2, 2, 7, 6], { kernel_shape: [2, 2], dilations: [2, 3], storage_order: 1 }],
    [[1, 2, 5, 4, 6], { kernel_shape: [2, 2, 2], strides: [1, 2, 2] }],
    [[2, 1, 9], { kernel_shape: [3], ceil_mode: 1, strides: [2] }],
  ] as const)('of %j with %j says where the largest elements were', async (shape, attributes) => {
    const build = new ModelBuilder();
    const y = build.op('MaxPool', [build.input('x', shape)], 'y', attributes);
    y.producer?.setOutput(1, build.graph.createValue('places'));
    const model = finish(build, ...((y.producer?.outputs ?? []) as Value[]));
    expect((await differenceOf(engine, model, { x: waves(shape, 1.7) }, FLOAT32)).largest).toBe(0);
  });

  it('of a large dilated window is put together one dimension after another', async () => {
    const build = new ModelBuilder();
    const shape = [1, 2, 20, 20];
    const attributes = { kernel_shape: [9, 9], dilations: [2, 2], pads: [3, 4, 2, 1] };
    const model = finish(build, build.op('MaxPool', [build.input('x', shape)], 'y', attributes));
    const { largest, package: made } = await differenceOf(engine, model, { x: waves(shape, 1.7) }, FLOAT32);
    expect(largest).toBe(0);
    expect(made.main.operations.filter(({ type }) => type === 'slice_by_index')).toHaveLength(18);
  });
});

it.each([1, 2, 3, 4])('Det of %i rows', async (order) => {
  const build = new ModelBuilder();
  const model = finish(build, build.op('Det', [build.input('x', [3, order, order])], 'y'));
  const random = new Random(order);
  const data = Float32Array.from({ length: 3 * order * order }, () => random.normal());
  const x = { dtype: 'float32', shape: [3, order, order], data } as const;
  expect((await differenceOf(engine, model, { x }, FLOAT32)).largest).toBeLessThan(1e-5);
});
