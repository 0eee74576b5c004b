import { describe, expect, it } from 'vitest';
import { tensorFromFloat32 } from '../../../../native-workers/graph/tensor-values.ts';
import type { Value } from '../../../../native-workers/graph/value.ts';
import { layerGraph } from '../../../../native-workers/passes/quantization/layer-graph.ts';
import {
  QUANTIZATION_TARGETS,
  type QuantizationTarget,
} from '../../../../native-workers/passes/quantization/targets.ts';
import { ModelBuilder } from '../../../helpers/models.ts';

function product(build: ModelBuilder, x: Value, name: string): Value {
  const weight = build.graph.addInitializer(`${name}_weight`, tensorFromFloat32(new Float32Array(4), [2, 2]));
  return build.op('MatMul', [x, weight], name);
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
    expect(layerGraph(build.graph, QUANTIZATION_TARGETS['cpu'] as QuantizationTarget)).toEqual([
      { node: 'first_node', operator: 'MatMul', after: [] },
      { node: 'second_node', operator: 'MatMul', after: [0] },
      { node: 'third_node', operator: 'MatMul', after: [0, 1] },
    ]);
  });

  it('holds products of two activations too, which stay float', () => {
    const build = new ModelBuilder();
    const x = build.input('x', [2, 2]);
    const scores = build.op('MatMul', [product(build, x, 'query'), product(build, x, 'key')], 'scores');
    build.outputs(scores);
    const links = layerGraph(build.graph, QUANTIZATION_TARGETS['cpu'] as QuantizationTarget);
    expect(links.at(-1)).toEqual({ node: 'scores_node', operator: 'MatMul', after: [0, 1] });
  });
});
