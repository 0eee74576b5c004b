/** Pad in all its modes, and with negative pads, which cut. */
import type { Node } from '../../../graph/node.ts';
import type { TflTensor } from '../ir.ts';
import type { Lowering } from './lowering.ts';
import { requantized } from './quantize.ts';
import type { Lower } from './registry.ts';
import { positive, Refusal } from './terms.ts';

export const PADDING_LOWERINGS: Readonly<Record<string, Lower>> = { Pad: pad };

function pad(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const rank = x.shape.length;
  const given =
    lowering.opset < 11 ? (node.ints('pads') ?? []) : lowering.fixed(lowering.input(node, 1), 'the padding');
  const chosen = lowering.optional(node, 3);
  const axes =
    chosen === null
      ? x.shape.map((_, axis) => axis)
      : lowering.fixed(chosen, 'the axes').map((axis) => positive(axis, rank));
  const rows = x.shape.map(() => [0, 0] as [number, number]);
  axes.forEach((axis, index) => {
    rows[axis] = [given[index] ?? 0, given[index + axes.length] ?? 0];
  });
  const cropped = crop(lowering, x, rows);
  const grown = rows.map((row) => row.map((each) => Math.max(each, 0)) as [number, number]);
  const stored = lowering.resultType(node);
  lowering.result(node, requantized(lowering, padded(node, lowering, cropped, grown), stored));
}

function crop(lowering: Lowering, x: TflTensor, rows: readonly (readonly [number, number])[]): TflTensor {
  const begin = rows.map(([start]) => Math.max(-start, 0));
  const size = x.shape.map((dim, axis) => dim - (begin[axis] ?? 0) - Math.max(-(rows[axis]?.[1] ?? 0), 0));
  return lowering.slice(x, begin, size);
}

function padded(node: Node, lowering: Lowering, x: TflTensor, rows: readonly (readonly [number, number])[]): TflTensor {
  if (rows.every(([start, end]) => start === 0 && end === 0)) return x;
  const mode = node.string('mode', 'constant');
  const shape = x.shape.map((dim, axis) => dim + (rows[axis]?.[0] ?? 0) + (rows[axis]?.[1] ?? 0));
  const paddings = lowering.constant('int32', rows.flat(), [rows.length, 2]);
  const output = { shape, dtype: x.dtype, quantization: x.quantization };
  if (mode === 'reflect') return lowering.emit('MIRROR_PAD', [x, paddings], output, { mode: 0 });
  if (mode === 'edge' || mode === 'wrap') return gatherPadded(lowering, x, rows, mode);
  const value = lowering.opset < 11 ? null : lowering.optional(node, 2);
  const fill =
    lowering.opset < 11 ? node.float('value', 0) : value === null ? 0 : (lowering.numbers(value)?.[0] ?? null);
  if (fill === 0) return lowering.emit('PAD', [x, paddings], output);
  if (x.quantization !== null) {
    if (fill === null) throw new Refusal('a quantized padding value that is computed');
    const { scales, zeroPoints } = x.quantization;
    const code = Math.round(fill / (scales[0] ?? 1)) + (zeroPoints[0] ?? 0);
    const constant = { ...lowering.scalar(code, x.dtype), quantization: x.quantization };
    return lowering.emit('PADV2', [x, paddings, constant], output);
  }
  const tensor =
    fill === null && value !== null
      ? lowering.cast(lowering.reshape(lowering.tensor(value), []), x.dtype)
      : lowering.scalar(fill ?? 0, x.dtype);
  return lowering.emit('PADV2', [x, paddings, tensor], output);
}

/** Padding that repeats elements: a GATHER of the right ones along each padded axis. */
function gatherPadded(
  lowering: Lowering,
  x: TflTensor,
  rows: readonly (readonly [number, number])[],
  mode: 'edge' | 'wrap',
): TflTensor {
  let y = x;
  rows.forEach(([start, end], axis) => {
    if (start === 0 && end === 0) return;
    const dim = x.shape[axis] ?? 1;
    const indices = Array.from({ length: start + dim + end }, (_, at) => {
      const place = at - start;
      return mode === 'edge' ? Math.min(Math.max(place, 0), dim - 1) : ((place % dim) + dim) % dim;
    });
    y = lowering.gather(y, lowering.int32(indices), axis);
  });
  return y;
}
