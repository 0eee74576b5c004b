import { describe, expect, it } from 'vitest';
import type { Model } from '../../../../native-workers/graph/model.ts';
import { type PlacementOptions, placeQuantization } from '../../../../native-workers/passes/quantization/placement.ts';
import { QUANTIZATION_TARGETS } from '../../../../native-workers/passes/quantization/targets.ts';
import { ModelBuilder, tinyClassifier } from '../../../helpers/models.ts';

function place(model: Model, changes: Partial<PlacementOptions> = {}) {
  const target = QUANTIZATION_TARGETS['cpu'];
  if (target === undefined) throw new Error('There is no target cpu.');
  const placement = placeQuantization(model.graph, {
    target,
    exclude: new Set(),
    depthwise: true,
    minimumWeights: 1,
    ...changes,
  });
  return {
    compute: placement.compute.map(({ node, output }) => [node.opType, output?.name ?? null]),
    elementwise: placement.elementwise.map(({ node, output }) => [node.opType, output.name]),
    values: [...placement.values].map(([value, { source, everyReader }]) => [value.name, source.name, everyReader]),
    left: placement.left.map(({ node, reason }) => [node.opType, reason]),
  };
}

describe('placeQuantization', () => {
  it('goes from a convolution through its activation, the pool and the reshape to the product', () => {
    expect(place(tinyClassifier())).toEqual({
      compute: [
        ['Conv', 'active'],
        ['Gemm', null],
      ],
      elementwise: [['GlobalAveragePool', 'pooled']],
      values: [
        ['image', 'image', false],
        ['flat', 'pooled', true],
        ['active', 'active', true],
        ['pooled', 'pooled', true],
      ],
      left: [],
    });
  });

  it('quantizes both branches of a residual sum, and the sum', () => {
    const build = new ModelBuilder();
    const x = build.input('x', [1, 4, 8, 8]);
    const conv = (name: string, from = x) =>
      build.op('Conv', [from, build.weight(`${name}.w`, [4, 4, 1, 1])], name, { kernel_shape: [1, 1] });
    const sum = build.op('Add', [conv('left'), conv('right')], 'sum');
    const model = build.outputs(build.op('Relu', [sum], 'y')).model();
    const { compute, elementwise, values } = place(model);
    expect(compute).toEqual([
      ['Conv', 'left'],
      ['Conv', 'right'],
    ]);
    expect(elementwise).toEqual([['Add', 'y']]);
    expect(values.map(([name]) => name).sort()).toEqual(['left', 'right', 'x', 'y']);
  });

  it('keeps a product whose output nobody reads as codes ending in float', () => {
    const build = new ModelBuilder();
    const y = build.op('MatMul', [build.input('x', ['batch', 8]), build.weight('w', [8, 8])], 'y');
    expect(place(build.outputs(y).model()).compute).toEqual([['MatMul', null]]);
  });

  it('names what stays float with its reason', () => {
    const build = new ModelBuilder();
    const x = build.input('x', [1, 4, 8, 8]);
    const computed = build.op('Conv', [x, x], 'computed');
    const small = build.op('Conv', [computed, build.weight('small', [2, 4, 1, 1])], 'few');
    const sum = build.op('Add', [small, build.weight('offset', [1])], 'y');
    expect(place(build.outputs(sum).model(), { minimumWeights: 64 }).left).toEqual([
      ['Conv', 'its weight is not a constant'],
      ['Conv', 'its weight has 8 elements; integers gain nothing there'],
      ['Add', 'one of its inputs is a constant'],
    ]);
  });

  it('leaves out what the options name', () => {
    expect(place(tinyClassifier(), { exclude: new Set(['Conv']) }).left[0]).toEqual([
      'Conv',
      'excluded by the options',
    ]);
    expect(place(tinyClassifier(), { exclude: new Set(['scores_node']) }).compute).toEqual([['Conv', 'active']]);
  });
});
