/**
 * Resize and its older forms. RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR serve where they mean the same; all else along one
 * axis at a time: a GATHER of the nearest elements, or a product with the matrix of weights, both known when converting.
 * Source of the formulas: ONNX's Resize.
 */
import type { Node } from '../../../graph/node.ts';
import type { TflTensor } from '../ir.ts';
import type { Lowering } from './lowering.ts';
import { hasCodesOf, requantized } from './quantize.ts';
import type { Lower } from './registry.ts';
import { positive, Refusal } from './terms.ts';
import { channelsFirst, channelsLast } from './window.ts';

export const RESIZE_LOWERINGS: Readonly<Record<string, Lower>> = { Resize: resize, Upsample: resize };

/** How one axis is resized. */
interface Axis {
  readonly from: number;
  readonly to: number;
  readonly scale: number;
  /** Of `tf_crop_and_resize`, as parts of the size. */
  readonly roi: readonly [number, number];
}

function resize(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const stored = lowering.resultType(node);
  const axes = axesOf(node, lowering, x, stored.shape);
  const mode = node.string('mode', 'nearest');
  const coordinates =
    node.opType === 'Upsample' || lowering.opset < 11
      ? 'asymmetric'
      : node.string('coordinate_transformation_mode', 'half_pixel');
  const nearest =
    node.opType === 'Upsample' || lowering.opset < 11 ? 'floor' : node.string('nearest_mode', 'round_prefer_floor');
  if (mode !== 'nearest' && x.quantization !== null && !hasCodesOf(x, stored))
    throw new Refusal('RESIZE_BILINEAR keeps the scale of its input, and a QUANTIZE after it would round twice');
  const builtin = builtinResize(lowering, x, axes, mode, coordinates, nearest, node);
  if (builtin !== null) {
    lowering.result(node, requantized(lowering, builtin, stored));
    return;
  }
  let y = x;
  const fill = node.float('extrapolation_value', 0);
  const filled = (index: number, places: readonly number[], size: number): void => {
    const inside = places.map((place) => place >= 0 && place <= size - 1);
    if (coordinates !== 'tf_crop_and_resize' || inside.every((each) => each)) return;
    if (y.quantization !== null) throw new Refusal('quantized places outside of the input');
    const shape = axes.map((_, axis) => (axis === index ? places.length : 1));
    y = lowering.select(lowering.constant('bool', inside.map(Number), shape), y, lowering.scalar(fill, y.dtype));
  };
  const placesOf = (axis: Axis): number[] =>
    Array.from({ length: axis.to }, (_, at) => sourcePlace(at, axis, coordinates));
  axes.forEach((axis, index) => {
    if (axis.from === axis.to && axis.scale === 1 && coordinates !== 'tf_crop_and_resize') return;
    const places = placesOf(axis);
    if (mode === 'nearest') {
      const indices = places.map((place) => Math.min(Math.max(rounded(place, nearest), 0), axis.from - 1));
      y = lowering.gather(y, lowering.int32(indices), index);
      return;
    }
    if (y.quantization !== null) throw new Refusal("a quantized resize that is none of TFLite's");
    const rows = places.map((place) => weightsAt(place, axis, mode, node));
    y = weighted(lowering, y, index, rows);
  });
  // Along whichever axis a place is outside, the element is the fill; not before all axes are done, which would blend it in.
  axes.forEach((axis, index) => {
    filled(index, placesOf(axis), axis.from);
  });
  lowering.result(node, y);
}

function axesOf(node: Node, lowering: Lowering, x: TflTensor, output: readonly number[]): Axis[] {
  const rank = x.shape.length;
  const isOld = node.opType === 'Upsample' || lowering.opset < 11;
  const chosen = (node.ints('axes') ?? x.shape.map((_, axis) => axis)).map((axis) => positive(axis, rank));
  const scaleValue = lowering.optional(node, isOld ? 1 : 2);
  const given =
    node.opType === 'Upsample' && lowering.opset < 9 ? floatsOf(node, 'scales') : (lowering.numbers(scaleValue) ?? []);
  const sizes = isOld ? null : lowering.numbers(lowering.optional(node, 3));
  const roi = isOld ? [] : (lowering.numbers(lowering.optional(node, 1)) ?? []);
  const policy = node.string('keep_aspect_ratio_policy', 'stretch');
  const ratios = sizes?.map((size, index) => size / (x.shape[chosen[index] ?? 0] ?? 1)) ?? [];
  const common = policy === 'not_larger' ? Math.min(...ratios) : policy === 'not_smaller' ? Math.max(...ratios) : null;
  return x.shape.map((from, axis) => {
    const index = chosen.indexOf(axis);
    const to = output[axis] ?? from;
    const scale = index < 0 ? 1 : given.length > 0 ? (given[index] ?? 1) : (common ?? to / from);
    const region = index < 0 || roi.length === 0 ? [0, 1] : [roi[index] ?? 0, roi[index + chosen.length] ?? 1];
    return { from, to, scale, roi: [region[0] ?? 0, region[1] ?? 1] };
  });
}

function floatsOf(node: Node, name: string): readonly number[] {
  const attribute = node.attributes.get(name);
  return attribute?.type === 'floats' ? attribute.value : [];
}

/** TFLite's own operators on pictures, where the rule is theirs: bilinear by all three, nearest where no tie can differ. */
function builtinResize(
  lowering: Lowering,
  x: TflTensor,
  axes: readonly Axis[],
  mode: string,
  coordinates: string,
  nearest: string,
  node: Node,
): TflTensor | null {
  const [batch, channels, height, width] = axes;
  if (axes.length !== 4 || !batch || !channels || !height || !width) return null;
  if (
    batch.from !== batch.to ||
    channels.from !== channels.to ||
    (height.from === height.to && width.from === width.to)
  )
    return null;
  if (node.int('antialias', 0) === 1) return null;
  const isPlain = [height, width].every((axis) => Math.abs(axis.scale - axis.to / axis.from) < 1e-6);
  if (!isPlain) return null;
  const isUpByWhole = [height, width].every((axis) => Number.isInteger(axis.to / axis.from));
  let options: Record<string, boolean> | null = null;
  if (mode === 'linear') {
    if (coordinates === 'half_pixel' || (coordinates === 'pytorch_half_pixel' && height.to > 1 && width.to > 1))
      options = { align_corners: false, half_pixel_centers: true };
    else if (coordinates === 'asymmetric') options = { align_corners: false, half_pixel_centers: false };
    else if (coordinates === 'align_corners' && height.to > 1 && width.to > 1)
      options = { align_corners: true, half_pixel_centers: false };
  } else if (mode === 'nearest' && isUpByWhole) {
    const isFloor = coordinates === 'asymmetric' && nearest === 'floor';
    // Upwards by a whole factor, the centres of the new elements are never between two old ones... but for the exact middle.
    const isHalf =
      coordinates === 'half_pixel' && (nearest === 'round_prefer_floor' || nearest === 'round_prefer_ceil');
    if (isFloor || isHalf) options = { align_corners: false, half_pixel_centers: false };
  }
  if (options === null) return null;
  const last = lowering.transpose(x, channelsLast(4));
  const shape = [batch.to, height.to, width.to, channels.to];
  const code = mode === 'linear' ? 'RESIZE_BILINEAR' : 'RESIZE_NEAREST_NEIGHBOR';
  const output = { shape, dtype: x.dtype, quantization: x.quantization };
  const y = lowering.emit(code, [last, lowering.int32([height.to, width.to])], output, options);
  return lowering.transpose(y, channelsFirst(4));
}

function sourcePlace(at: number, { from, to, scale, roi }: Axis, coordinates: string): number {
  const length = scale * from;
  switch (coordinates) {
    case 'asymmetric':
      return at / scale;
    case 'align_corners':
      return length <= 1 ? 0 : (at * (from - 1)) / (length - 1);
    case 'pytorch_half_pixel':
      return length > 1 ? (at + 0.5) / scale - 0.5 : 0;
    case 'half_pixel_symmetric': {
      const adjustment = to / length;
      const centre = from / 2;
      return centre * (1 - adjustment) + (at + 0.5) / scale - 0.5;
    }
    case 'tf_crop_and_resize':
      return to > 1
        ? roi[0] * (from - 1) + (at * (roi[1] - roi[0]) * (from - 1)) / (to - 1)
        : 0.5 * (roi[0] + roi[1]) * (from - 1);
    case 'tf_half_pixel_for_nn':
      return (at + 0.5) / scale;
    default:
      return (at + 0.5) / scale - 0.5;
  }
}

function rounded(place: number, mode: string): number {
  if (mode === 'floor') return Math.floor(place);
  if (mode === 'ceil') return Math.ceil(place);
  const isTie = place - Math.floor(place) === 0.5;
  if (!isTie) return Math.round(place);
  return mode === 'round_prefer_ceil' ? Math.ceil(place) : Math.floor(place);
}

/** The weight of each old element in the new one at `place`. */
function weightsAt(place: number, { from, scale }: Axis, mode: string, node: Node): Float32Array {
  const weights = new Float32Array(from);
  const stretch = node.int('antialias', 0) === 1 && scale < 1 ? scale : 1;
  const radius = mode === 'cubic' ? 2 : 1;
  const excludes = node.int('exclude_outside', 0) === 1;
  const cubic = node.float('cubic_coeff_a', -0.75);
  const first = Math.floor(place - radius / stretch);
  const last = Math.ceil(place + radius / stretch);
  let sum = 0;
  const parts: [number, number][] = [];
  for (let at = first; at <= last; at++) {
    const distance = Math.abs(place - at) * stretch;
    const weight = mode === 'cubic' ? cubicWeight(distance, cubic) : Math.max(0, 1 - distance);
    if (excludes && (at < 0 || at >= from)) continue;
    parts.push([Math.min(Math.max(at, 0), from - 1), weight]);
    sum += weight;
  }
  for (const [at, weight] of parts) weights[at] = (weights[at] ?? 0) + weight / (sum || 1);
  return weights;
}

/** Keys' cubic kernel. */
function cubicWeight(distance: number, a: number): number {
  if (distance <= 1) return (a + 2) * distance ** 3 - (a + 3) * distance ** 2 + 1;
  if (distance < 2) return a * distance ** 3 - 5 * a * distance ** 2 + 8 * a * distance - 4 * a;
  return 0;
}

/** Multiplies one axis with a matrix: moved last, made a fully connected layer without bias of its own, moved back. */
function weighted(lowering: Lowering, x: TflTensor, axis: number, rows: readonly Float32Array[]): TflTensor {
  const rank = x.shape.length;
  const perm = [...x.shape.map((_, index) => index).filter((index) => index !== axis), axis];
  const back = x.shape.map((_, index) => perm.indexOf(index));
  const moved = lowering.transpose(x, perm);
  const from = x.shape[axis] ?? 1;
  const matrix = new Float32Array(rows.length * from);
  rows.forEach((row, index) => {
    matrix.set(row, index * from);
  });
  const weights = lowering.constant('float32', matrix, [rows.length, from]);
  const bias = lowering.constant('float32', new Float32Array(rows.length), [rows.length]);
  const output = { shape: [...moved.shape.slice(0, -1), rows.length], dtype: x.dtype };
  const y = lowering.emit('FULLY_CONNECTED', [moved, weights, bias], output, {
    fused_activation_function: 0,
    weights_format: 0,
    keep_num_dims: rank !== 2,
  });
  return lowering.transpose(y, back);
}
