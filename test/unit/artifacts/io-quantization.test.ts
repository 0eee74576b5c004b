import { expect, it } from 'vitest';
import { withQuantization } from '../../../native-workers/artifacts/io-quantization.ts';
import { tensorFromNumbers } from '../../../native-workers/graph/tensor-values.ts';
import { ModelBuilder } from '../../helpers/models.ts';

it('finds what the integers at the ends stand for, through operators that only move them', () => {
  const build = new ModelBuilder();
  const { graph } = build;
  const scale = graph.addInitializer('scale', tensorFromNumbers('float32', [0.25], []));
  const zero = graph.addInitializer('zero', tensorFromNumbers('int8', [-3], []));
  const none = graph.addInitializer('none', tensorFromNumbers('uint8', [0], []));
  const x = build.input('x', [1, 2, 3, 3], 'int8');
  const real = build.op('DequantizeLinear', [build.op('Transpose', [x], 'moved'), scale, zero], 'real');
  const other = build.op('Cast', [build.input('plain', [2], 'int8')], 'cast');
  const y = build.op('Flatten', [build.op('QuantizeLinear', [real, scale, none], 'q')], 'y');
  const model = build.outputs(y, other).model();
  const value = (name: string, dtype: string) => ({ source: name, name, dtype, shape: [1] });
  const { inputs, outputs } = withQuantization(
    { inputs: [value('x', 'int8'), value('plain', 'int8')], outputs: [value('y', 'uint8'), value('cast', 'float32')] },
    model,
  );
  expect(inputs.map(({ quantization }) => quantization)).toEqual([{ scale: 0.25, zeroPoint: -3 }, undefined]);
  expect(outputs.map(({ quantization }) => quantization)).toEqual([{ scale: 0.25, zeroPoint: 0 }, undefined]);
  // An artifact that takes floats there has nothing to convert.
  expect(
    withQuantization({ inputs: [value('x', 'float32')], outputs: [] }, model).inputs[0]?.quantization,
  ).toBeUndefined();
});
