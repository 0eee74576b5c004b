import { describe, expect, it } from 'vitest';
import { type Attribute, floatsAttribute, stringAttribute } from '../../../../native-workers/graph/attribute.ts';
import { tensorFromFloat32 } from '../../../../native-workers/graph/tensor-values.ts';
import { tensorType } from '../../../../native-workers/graph/types.ts';
import { validate } from '../../../../native-workers/graph/validate.ts';
import { raiseOpset } from '../../../../native-workers/passes/quantization/opset.ts';
import { ModelBuilder } from '../../../helpers/models.ts';
import { float32, operators, runModel } from '../../../helpers/passes.ts';

const ramp = (count: number): number[] => Array.from({ length: count }, (_, index) => Math.sin(index) * 3);

/** 2^63 - 1 along the second axis, as exporters write it. */
const TO_THE_LAST: Attribute = { type: 'ints', value: [4n, 2n ** 63n - 1n] };

describe('raising the opset', () => {
  it('keeps the answers of operators whose attributes became inputs', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', [1, 2, 4, 6]);
    const part = build.op('Slice', [x], 'part', { starts: [1, 0], ends: TO_THE_LAST, axes: [2, 3] });
    const first = build.op('Slice', [part], 'first', { starts: [0], ends: [1] });
    const scales = build.graph.addInitializer('scales', tensorFromFloat32(Float32Array.of(1, 1, 2, 3), [4]));
    const larger = build.op('Upsample', [first, scales], 'larger', { mode: stringAttribute('nearest') });
    const best = build.op('TopK', [larger], 'best', { k: 2, axis: 3 });
    const places = build.graph.createValue('places', tensorType('int64', null));
    best.producer?.setOutput(1, places);
    const model = build.outputs(best, places).model(9, 4);
    const feeds = { x: float32([1, 2, 4, 6], ramp(48)) };
    const before = await runModel(model, feeds);
    expect(raiseOpset(model)).toBeNull();
    validate(model);
    expect(model.opset).toBe(10);
    expect(operators(model)).toEqual(['Slice', 'Slice', 'Resize', 'TopK']);
    expect(await runModel(model, feeds)).toEqual(before);
  });

  it('keeps the answers of scales that are attributes, as in opset 7', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', [1, 1, 3, 3]);
    const larger = build.op('Upsample', [x], 'larger', {
      mode: stringAttribute('linear'),
      scales: floatsAttribute([1, 1, 2, 2]),
    });
    const model = build.outputs(larger).model(7, 4);
    const feeds = { x: float32([1, 1, 3, 3], ramp(9)) };
    const before = await runModel(model, feeds);
    expect(raiseOpset(model)).toBeNull();
    expect(await runModel(model, feeds)).toEqual(before);
  });

  it('refuses what newer opsets cannot say, and what is too old', () => {
    const build = new ModelBuilder();
    const x = build.input('x', [1, 2]);
    const weights = ['scale', 'bias', 'mean', 'variance'].map((name) => build.weight(name, [2]));
    const model = build.outputs(build.op('BatchNormalization', [x, ...weights], 'y', { spatial: 0 })).model(8, 4);
    expect(raiseOpset(model)).toMatch(/opset 8.*y_node normalizes each activation apart/);
    expect(model.opset).toBe(8);
    const old = new ModelBuilder();
    const ancient = old.outputs(old.op('Relu', [old.input('x', [1])], 'y')).model(6, 3);
    expect(raiseOpset(ancient)).toMatch(/opset 6/);
  });
});
