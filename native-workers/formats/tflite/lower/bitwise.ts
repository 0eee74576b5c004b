/** Operators on the bits of integers. */
import type { Node } from '../../../graph/node.ts';
import type { TflTensor } from '../ir.ts';
import type { Lowering } from './lowering.ts';
import type { Lower } from './registry.ts';
import { broadcast } from './terms.ts';

export const BITWISE_LOWERINGS: Readonly<Record<string, Lower>> = {
  BitShift: bitShift,
  BitwiseXor: xor,
  BitwiseAnd: (node, lowering) => lowering.result(node, bits(node, lowering).both),
  BitwiseOr: bitwiseOr,
  BitwiseNot: (node, lowering) => {
    const x = lowering.read(node, 0);
    lowering.result(node, lowering.sub(lowering.mul(x, -1), 1));
  },
};

function bitShift(node: Node, lowering: Lowering): void {
  const [a, b] = [lowering.read(node, 0), lowering.read(node, 1)];
  if (node.string('direction', '') === 'RIGHT') {
    const [x, y] = [lowering.cast(a, 'int32'), lowering.cast(b, 'int32')];
    lowering.result(node, lowering.cast(lowering.binary('RIGHT_SHIFT', x, y), a.dtype));
    return;
  }
  // 2^b by floats: exact for every shift that an integer can hold.
  const factor = lowering.unary('EXP', lowering.mul(lowering.cast(b, 'float32'), Math.LN2));
  lowering.result(node, lowering.mul(a, lowering.cast(lowering.unary('ROUND', factor), a.dtype)));
}

function xor(node: Node, lowering: Lowering): void {
  const [a, b] = [lowering.read(node, 0), lowering.read(node, 1)];
  const [x, y] = [lowering.cast(a, 'int32'), lowering.cast(b, 'int32')];
  lowering.result(node, lowering.cast(lowering.binary('BITWISE_XOR', x, y), a.dtype));
}

/** Operands, and the bits that both have. Narrow integers are int32 here, and unsigned 32 bits int64. */
function bits(node: Node, lowering: Lowering): { a: TflTensor; b: TflTensor; both: TflTensor } {
  const [read, other] = [lowering.read(node, 0), lowering.read(node, 1)];
  const shape = broadcast(read.shape, other.shape);
  const [a, b] = [lowering.broadcastTo(read, shape), lowering.broadcastTo(other, shape)];
  return { a, b, both: lowering.emit('STABLEHLO_AND', [a, b], { shape, dtype: a.dtype }) };
}

/** a + b counts the bits that both have twice. */
function bitwiseOr(node: Node, lowering: Lowering): void {
  const { a, b, both } = bits(node, lowering);
  lowering.result(node, lowering.sub(lowering.add(a, b), both));
}
