import { describe, expect, it } from 'vitest';
import { intAttribute, tensorAttribute } from '../../../native-workers/graph/attribute.ts';
import { Node } from '../../../native-workers/graph/node.ts';
import type { Tensor } from '../../../native-workers/graph/tensor.ts';
import { scalarTensor, tensorFromInt64, tensorFromNumbers } from '../../../native-workers/graph/tensor-values.ts';
import { resultBytes } from '../../../native-workers/passes/constant-sizes.ts';

const ints = (...values: number[]) => tensorFromInt64(values, [values.length]);
const floats = (...shape: number[]) =>
  tensorFromNumbers('float32', new Float32Array(shape.reduce((all, dim) => all * dim, 1)), shape);

function bytes(
  opType: string,
  inputs: (Tensor | null)[],
  attributes: Record<string, ReturnType<typeof intAttribute>> = {},
) {
  return resultBytes(new Node({ opType, attributes: Object.entries(attributes) }), inputs);
}

describe('resultBytes', () => {
  it.each([
    ['Transpose', [floats(2, 3)], 24],
    ['Add', [floats(4, 1), floats(5)], 80],
    ['Expand', [floats(1, 3), ints(1000, 1)], 12000],
    ['Tile', [floats(2), ints(500)], 4000],
    ['Range', [scalarTensor('int64', 2), scalarTensor('int64', 12), scalarTensor('int64', 3)], 32],
    ['MatMul', [floats(2, 3, 1), floats(1, 7)], 168],
    ['Concat', [floats(3), floats(4)], 28],
    ['Shape', [floats(2, 3, 4)], 24],
    ['NonZero', [floats(2, 3)], 96],
    ['ConstantOfShape', [ints(1000, 1000, 1000)], 4e9],
  ])('bounds %s', (opType, inputs, expected) => {
    expect(bytes(opType, inputs)).toBe(expected);
  });

  it('bounds Gather by its indices and axis', () => {
    expect(bytes('Gather', [floats(10, 4), ints(1, 2, 3)])).toBe(48);
    expect(bytes('Gather', [floats(10, 4), ints(1, 2, 3)], { axis: intAttribute(1) })).toBe(120);
  });

  it('goes by the type that a Cast or a ConstantOfShape makes', () => {
    expect(bytes('Cast', [floats(10)], { to: intAttribute(7) })).toBe(80);
    const value = tensorAttribute(tensorFromNumbers('uint8', [1], [1])) as ReturnType<typeof intAttribute>;
    expect(bytes('ConstantOfShape', [ints(100)], { value })).toBe(100);
  });

  it('is null for operators that are not folded, and for types that the engine cannot take', () => {
    expect(bytes('Conv', [floats(1, 1, 4, 4), floats(1, 1, 2, 2)])).toBeNull();
    expect(bytes('RandomNormal', [])).toBeNull();
    expect(bytes('Add', [floats(2, 3), floats(4)])).toBeNull();
    expect(bytes('Neg', [tensorFromNumbers('bfloat16', [1], [1])])).toBeNull();
    expect(bytes('Cast', [floats(1)], { to: intAttribute(16) })).toBeNull();
  });
});
