import { describe, expect, it } from 'vitest';
import { tensorFromFloat32 } from '../../../../native-workers/graph/tensor-values.ts';
import type { Value } from '../../../../native-workers/graph/value.ts';
import { layerGraph } from '../../../../native-workers/passes/quantization/layer-graph.ts';
import type { ComputePlan } from '../../../../native-workers/passes/quantization/placement.ts';
import { ModelBuilder } from '../../../helpers/models.ts';

function product(build: ModelBuilder, x: Value, name: string): Value {
  const weight = build.graph.addInitializer(`${name}_weight`, tensorFromFloat32(new Float32Array(4), [2, 2]));
  return build.op('MatMul', [x, weight], name);
}

function planOf({ producer: node }: Value): ComputePlan {
  const [data, weight] = node?.inputs ?? [];
  if (node === null || data == null || weight == null) throw new Error('Not a product.');
  return { node, data, weight, channelAxis: 1, inputAxis: 0, dataAxis: 1, bias: null, output: null };
}

describe('layerGraph', () => {
  it('links layers over what runs between them, each once', () => {
    const build = new ModelBuilder();
    const x = build.input('x', [1, 2]);
    const first = product(build, x, 'first');
    const second = product(build, build.op('Relu', [first], 'relu'), 'second');
    const sum = build.op('Add', [first, second], 'add');
    const third = product(build, build.op('Add', [sum, sum], 'twice'), 'third');
    build.outputs(third);
    expect(layerGraph([first, second, third].map(planOf))).toEqual([
      { node: 'first_node', operator: 'MatMul', after: [] },
      { node: 'second_node', operator: 'MatMul', after: [0] },
      { node: 'third_node', operator: 'MatMul', after: [0, 1] },
    ]);
  });
});
