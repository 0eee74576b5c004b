/**
 * Resizing: MIL's own operators for pictures where they sample as ONNX does. Anything else is separable, so that each dimension
 * is resized by picking elements or by a product with a matrix.
 */
import type { Node } from '../../../graph/node.ts';
import type { MilDim, MilValue } from '../program.ts';
import { matmul, take } from './builders.ts';
import { type Interpolation, matrixOf, placesOf, type ResizedAxis, rowsOf } from './interpolation.ts';
import type { Lower, Lowering } from './lowering.ts';
import { Refusal, staticDims } from './terms.ts';

const LARGEST_MATRIX = 1 << 24;

function resize(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  const output = lowering.shape(lowering.output(node));
  const by = interpolationOf(node, lowering);
  const axes = axesOf(node, lowering, x.type.shape, output);
  const own = ownOperator(node, lowering, x, axes, by);
  if (own) return;
  let result = x;
  const outside: { axis: number; inside: boolean[] }[] = [];
  for (const [axis, sizes] of axes) {
    const rows = rowsOf(sizes, by);
    if (rows.some((row) => row.size === 0)) outside.push({ axis, inside: rows.map((row) => row.size > 0) });
    const places = placesOf(rows);
    if (places !== null) result = take(lowering, result, places, axis);
    else result = product(lowering, result, axis, matrixOf(rows, sizes.from), sizes);
  }
  lowering.result(node, extrapolated(node, lowering, result, outside));
}

function interpolationOf(node: Node, lowering: Lowering): Interpolation {
  const legacy = node.opType === 'Upsample' || lowering.opset < 11;
  const mode = node.string('mode', 'nearest').replace('bilinear', 'linear');
  if (mode !== 'nearest' && mode !== 'linear' && mode !== 'cubic')
    throw new Refusal(`Core ML has no resizing of the mode ${mode}`);
  return {
    mode,
    coordinates: legacy ? 'asymmetric' : node.string('coordinate_transformation_mode', 'half_pixel'),
    rounding: legacy ? 'floor' : node.string('nearest_mode', 'round_prefer_floor'),
    cubicA: node.float('cubic_coeff_a', -0.75),
    excludeOutside: node.int('exclude_outside', 0) !== 0,
    antialias: node.int('antialias', 0) !== 0,
  };
}

/** The dimensions that change, or are sampled anew. */
function axesOf(
  node: Node,
  lowering: Lowering,
  shape: readonly MilDim[],
  output: readonly MilDim[],
): Map<number, ResizedAxis> {
  const rank = shape.length;
  const legacy = node.opType === 'Upsample' || lowering.opset < 11;
  const operand = legacy ? 1 : 2;
  const axes = node.ints('axes')?.map((axis) => lowering.axis(axis, rank)) ?? shape.map((_, axis) => axis);
  const attribute = node.attributes.get('scales');
  const given = attribute?.type === 'floats' ? Array.from(attribute.value) : lowering.numbers(node, operand);
  const scales = given !== null && given.length > 0 ? given : null;
  if (scales === null && node.inputs[operand] && given === null) throw new Refusal('the scales are computed');
  const policy = node.string('keep_aspect_ratio_policy', 'stretch');
  const crops = node.string('coordinate_transformation_mode', 'half_pixel') === 'tf_crop_and_resize';
  const roi = crops ? lowering.fixed(node, 1, 'the part that is resized') : null;
  const found = new Map<number, ResizedAxis>();
  const wanted = policy === 'stretch' ? null : lowering.fixed(node, 3, 'the sizes');
  const ratios = wanted?.map((size, index) => size / (shape[axes[index] ?? 0] ?? 1)) ?? [];
  const common = policy === 'not_larger' ? Math.min(...ratios) : Math.max(...ratios);
  axes.forEach((axis, index) => {
    const [from, to] = [shape[axis] ?? null, output[axis] ?? null];
    if (from === null || to === null) {
      // A size that is open stays as it is.
      if (from === to && (scales === null || scales[index] === 1) && roi === null) return;
      throw new Refusal('the size after resizing is not known');
    }
    const scale = scales?.[index] ?? (wanted === null ? to / from : common);
    if (from === to && scale === 1 && roi === null) return;
    found.set(axis, { from, to, scale, roi: [roi?.[index] ?? 0, roi?.[index + axes.length] ?? 1] });
  });
  return found;
}

/** True when MIL's own operator for the last two of four dimensions says it, which is then written. */
function ownOperator(
  node: Node,
  lowering: Lowering,
  x: MilValue,
  axes: ReadonlyMap<number, ResizedAxis>,
  by: Interpolation,
): boolean {
  if (x.type.dtype !== 'fp32' || x.type.shape.length !== 4 || [...axes.keys()].some((axis) => axis < 2)) return false;
  const output = lowering.shape(lowering.output(node));
  const [height, width] = [2, 3].map((axis) => ({ size: output[axis] ?? null, axis: axes.get(axis) }));
  if (typeof height?.size !== 'number' || typeof width?.size !== 'number') return false;
  // With scales that give no whole sizes, ONNX samples by the scales and Core ML by the sizes.
  if ([...axes.values()].some(({ from, to, scale }) => Math.abs(scale * from - to) > 1e-3)) return false;
  if (by.mode === 'nearest') {
    // Repeating each element is what all of these do for whole factors.
    const repeats =
      (by.coordinates === 'asymmetric' && by.rounding === 'floor') ||
      (by.coordinates.endsWith('half_pixel') && by.rounding.startsWith('round'));
    const factors = [height, width].map(({ axis }) => (axis === undefined ? 1 : axis.to / axis.from));
    if (!repeats || factors.some((factor) => !Number.isInteger(factor))) return false;
    lowering.out(node, 'upsample_nearest_neighbor', {
      x,
      scale_factor_height: lowering.int(factors[0] ?? 1, 'scale_h'),
      scale_factor_width: lowering.int(factors[1] ?? 1, 'scale_w'),
    });
    return true;
  }
  const modes: Readonly<Record<string, string>> = {
    align_corners: 'STRICT_ALIGN_CORNERS',
    half_pixel: 'UNALIGN_CORNERS',
    pytorch_half_pixel: 'UNALIGN_CORNERS',
  };
  const sampling = modes[by.coordinates];
  const single = by.coordinates !== 'half_pixel' && (height.size === 1 || width.size === 1);
  if (by.mode !== 'linear' || by.antialias || by.excludeOutside || sampling === undefined || single) return false;
  lowering.out(node, 'resize_bilinear', {
    x,
    target_size_height: lowering.int(height.size, 'height'),
    target_size_width: lowering.int(width.size, 'width'),
    sampling_mode: lowering.text(sampling, 'sampling_mode'),
  });
  return true;
}

/** One dimension multiplied by a matrix [to, from]. */
function product(
  lowering: Lowering,
  given: MilValue,
  axis: number,
  matrix: Float32Array,
  { from, to }: ResizedAxis,
): MilValue {
  if (matrix.length > LARGEST_MATRIX) throw new Refusal('the pictures are too large to be resized by a product');
  const x = lowering.cast(given, 'fp32');
  const rank = x.type.shape.length;
  const weights = lowering.floats(matrix, [to, from], 'interpolation');
  if (rank === 1) return lowering.reshape(matmul(lowering, lowering.reshape(x, [1, from]), weights, false, true), [to]);
  if (axis === rank - 1) return matmul(lowering, x, weights, false, true);
  if (axis === rank - 2) return matmul(lowering, weights, x);
  const perm = x.type.shape.map((_, index) => index);
  [perm[axis], perm[rank - 2]] = [rank - 2, axis];
  return lowering.transpose(matmul(lowering, weights, lowering.transpose(x, perm)), perm);
}

/** What lies outside of the part that is resized has a value of its own; the products made it zero. */
function extrapolated(
  node: Node,
  lowering: Lowering,
  x: MilValue,
  outside: readonly { readonly axis: number; readonly inside: readonly boolean[] }[],
): MilValue {
  const value = node.float('extrapolation_value', 0);
  if (outside.length === 0 || value === 0) return x;
  let mask: boolean[] = [true];
  const shape: number[] = [];
  staticDims(x.type.shape, 'what is resized').forEach((dim, axis) => {
    const inside = outside.find((each) => each.axis === axis)?.inside;
    const line = inside ?? [true];
    shape.push(inside === undefined ? 1 : dim);
    mask = mask.flatMap((before) => line.map((flag) => before && flag));
  });
  const added = mask.map((inside) => (inside ? 0 : value));
  return lowering.binary('add', x, lowering.floats(added, shape, 'outside'));
}

export const RESIZE: Readonly<Record<string, Lower>> = { Resize: resize, Upsample: resize };
