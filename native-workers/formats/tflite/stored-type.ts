/**
 * How TFLite stores the codes of QuantizeLinear and DequantizeLinear. uint8 becomes int8 by moving the zero point by 128, which
 * changes no real value; where weights have zero points, which only the kernels of uint8 take, int8 becomes uint8.
 *
 * One tensor has one scale and zero point in TFLite. In ONNX each node names its own, and the graphs that `raise/` makes use
 * that: a scale that is off by what LiteRT's multipliers are (`raise/rounding.ts`), and averages of codes around another zero
 * point. Such nodes are read here as what they stand for, so that a model that was opened from TFLite is written as it was.
 */
import type { DType } from '../../graph/dtype.ts';
import type { Graph } from '../../graph/graph.ts';
import type { Node } from '../../graph/node.ts';
import { toNumbers } from '../../graph/tensor-values.ts';
import type { Value } from '../../graph/value.ts';
import type { Quantization } from './ir.ts';
import { convertScale } from './raise/rounding.ts';

export interface StoredType {
  readonly dtype: DType;
  readonly quantization: Quantization;
}

/** Operators with a weight as their second input. */
export const WEIGHTED: ReadonlySet<string> = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul']);

/** Operators that move elements and compute nothing, so that they may stand between codes and what reads them. */
export const MOVES: ReadonlySet<string> = new Set([
  'Identity',
  'Transpose',
  'Reshape',
  'Flatten',
  'Squeeze',
  'Unsqueeze',
]);

/** Scales that differ by less are one: at most an eighth of a step at the ends of the range. */
const SAME_SCALE = 2 ** -10;

/** Operators whose result moves by as much as their input does: averages with weights that add up to 1. */
const AVERAGES: ReadonlySet<string> = new Set(['AveragePool', 'GlobalAveragePool', 'Resize']);

export class StoredTypes {
  readonly #eightBit: 'int8' | 'uint8';

  constructor(graph: Graph) {
    let [asymmetric, perChannel] = [0, 0];
    for (const node of graph.nodes) {
      const weights = WEIGHTED.has(node.opType) ? node.inputs[1]?.producer : null;
      if (!weights || !isDequantize(weights) || !weights.inputs[0]?.tensor) continue;
      const { scales = [], zeroPoints = [] } = declaredType(weights, 'int8')?.quantization ?? {};
      if (scales.length > 1) perChannel++;
      else if ((zeroPoints[0] ?? 0) !== 0) asymmetric++;
    }
    this.#eightBit = asymmetric > perChannel ? 'uint8' : 'int8';
  }

  /** Scale, zero point and type of the codes that a node makes or reads; null where TFLite has no such tensor. */
  of(node: Node): StoredType | null {
    const declared = this.#declared(node);
    if (declared === null) return null;
    if (isQuantize(node)) return this.#made(node, declared);
    const maker = makerOf(node);
    const own = maker === null ? null : this.#declared(maker);
    if (maker === null || own === null) return declared;
    const made = this.#made(maker, own);
    if (made.dtype !== declared.dtype) return declared;
    const stands =
      isNear(declared, made) || this.#isMultiplier(node, declared, made) || isAveraged(node, declared, made);
    return stands ? made : declared;
  }

  #declared(node: Node): StoredType | null {
    return declaredType(node, this.#eightBit);
  }

  /** Of a QuantizeLinear: where it makes an average of moved codes, what all its readers take them for. */
  #made(node: Node, declared: StoredType): StoredType {
    const average = node.inputs[0]?.producer;
    const source = average?.inputs[0]?.producer;
    if (!average || !AVERAGES.has(average.opType) || !source || !isDequantize(source)) return declared;
    if (this.#declared(source)?.quantization.zeroPoints[0] !== declared.quantization.zeroPoints[0]) return declared;
    const [first, ...others] = readersOf(node.outputs[0] ?? null).map((reader) =>
      isDequantize(reader) ? this.#declared(reader) : null,
    );
    if (!first || !others.every((other) => other !== null && sameQuantization(other, first))) return declared;
    return first.dtype === declared.dtype && sameScale(first, declared) ? first : declared;
  }

  /** A requantization whose ratio is in the 256ths that LiteRT multiplies by. */
  #isMultiplier(node: Node, declared: StoredType, made: StoredType): boolean {
    const [reader] = readersOf(node.outputs[0] ?? null);
    const next = reader?.is('LeakyRelu') ? readersOf(reader.outputs[0] ?? null)[0] : reader;
    const target = next && isQuantize(next) ? this.#declared(next) : null;
    if (target === null || !sameZero(declared, made)) return false;
    return convertScale(scaleOf(made), scaleOf(target)) === scaleOf(declared);
  }
}

/** The QuantizeLinear whose codes a DequantizeLinear reads, moved or not. */
function makerOf(node: Node): Node | null {
  let maker = node.inputs[0]?.producer ?? null;
  while (maker !== null && MOVES.has(maker.opType)) maker = maker.inputs[0]?.producer ?? null;
  return maker !== null && isQuantize(maker) ? maker : null;
}

/** What reads a value, behind operators that move it. */
export function readersOf(value: Value | null): Node[] {
  return [...(value?.consumers ?? [])].flatMap((reader) =>
    MOVES.has(reader.opType) ? readersOf(reader.outputs[0] ?? null) : [reader],
  );
}

function scaleOf({ quantization }: StoredType): number {
  return quantization.scales.length === 1 ? (quantization.scales[0] ?? 0) : 0;
}

function sameScale(a: StoredType, b: StoredType): boolean {
  return scaleOf(b) !== 0 && Math.abs(scaleOf(a) / scaleOf(b) - 1) < SAME_SCALE;
}

function sameZero(a: StoredType, b: StoredType): boolean {
  return a.quantization.zeroPoints.join() === b.quantization.zeroPoints.join();
}

function isNear(declared: StoredType, made: StoredType): boolean {
  return sameScale(declared, made) && sameZero(declared, made);
}

function isAveraged(node: Node, declared: StoredType, made: StoredType): boolean {
  const readers = readersOf(node.outputs[0] ?? null);
  return sameScale(declared, made) && readers.length > 0 && readers.every(({ opType }) => AVERAGES.has(opType));
}

/** Whether the node is one of ONNX's, or one of ONNX Runtime's older ones that mean the same. */
export function isQuantize(node: Node): boolean {
  return node.opType === 'QuantizeLinear' && (node.domain === '' || node.domain === 'com.microsoft');
}

export function isDequantize(node: Node): boolean {
  return node.opType === 'DequantizeLinear' && (node.domain === '' || node.domain === 'com.microsoft');
}

/** What the node itself says; null without constant operands, or where TFLite has no such tensor. */
function declaredType(node: Node, eightBit: 'int8' | 'uint8'): StoredType | null {
  const [x, scaleValue, zeroValue] = node.inputs;
  if (!scaleValue?.tensor || (node.int('block_size', 0) !== 0 && scaleValue.tensor.shape.length > 1)) return null;
  if (zeroValue && !zeroValue.tensor) return null;
  const scales = toNumbers(scaleValue.tensor);
  const declared = zeroValue?.tensor?.dtype ?? (isDequantize(node) ? (x?.tensor?.dtype ?? typeOf(x ?? null)) : 'uint8');
  if (scaleValue.tensor.shape.length > 1 || declared === null) return null;
  const isEightBit = declared === 'uint8' || declared === 'int8';
  const dtype = isEightBit ? eightBit : declared === 'uint4' ? 'int4' : declared;
  const shift = declared === dtype ? 0 : declared === 'uint4' ? 8 : declared === 'uint8' ? 128 : -128;
  if (!['int8', 'uint8', 'int16', 'int32', 'int4'].includes(dtype)) return null;
  const zeros = zeroValue?.tensor ? toNumbers(zeroValue.tensor) : scales.map(() => 0);
  if (dtype === 'int16' && zeros.some((zero) => zero !== 0)) return null;
  const axis = scales.length === 1 ? 0 : node.int('axis', 1);
  return { dtype, quantization: { scales, zeroPoints: zeros.map((zero) => zero - shift), axis } };
}

function typeOf(value: Value | null): DType | null {
  return value?.type?.kind === 'tensor' ? value.type.dtype : null;
}

export function sameQuantization(a: StoredType, b: StoredType): boolean {
  return (
    a.dtype === b.dtype &&
    a.quantization.scales.join() === b.quantization.scales.join() &&
    a.quantization.zeroPoints.join() === b.quantization.zeroPoints.join()
  );
}
