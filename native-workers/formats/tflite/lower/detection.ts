/**
 * What detectors end with: NonMaxSuppression, RoiAlign, and the operators that keep what a condition names. TFLite tensors have
 * fixed sizes, so how many are kept must be what the model itself declares.
 */
import type { Node } from '../../../graph/node.ts';
import type { TflTensor } from '../ir.ts';
import type { Lowering } from './lowering.ts';
import type { Lower } from './registry.ts';
import { rowsOf, sampleLinear } from './sampling.ts';
import { positive, Refusal } from './terms.ts';

export const DETECTION_LOWERINGS: Readonly<Record<string, Lower>> = {
  NonMaxSuppression: nonMaxSuppression,
  RoiAlign: roiAlign,
  Compress: compress,
  NonZero: nonZero,
};

/** Places of the first `count` true ones of `flags` [N], in order: those of the largest keys, which fall with the place. */
function placesOfTrue(lowering: Lowering, flags: TflTensor, count: number): TflTensor {
  const total = flags.shape[0] ?? 1;
  const falling = Array.from({ length: total }, (_, at) => total - at);
  const keys = lowering.mul(lowering.cast(flags, 'float32'), lowering.constant('float32', falling, [total]));
  const type = (dtype: 'float32' | 'int32') => ({ shape: [count], dtype });
  const [, places] = lowering.emitAll(
    'TOPK_V2',
    [keys, lowering.scalar(count, 'int32')],
    [type('float32'), type('int32')],
  );
  return places as TflTensor;
}

/** One NON_MAX_SUPPRESSION_V4 for each class of each sample; the rows of those that it kept, one after another. */
function nonMaxSuppression(node: Node, lowering: Lowering): void {
  const [kept = 1] = lowering.resultType(node).shape;
  const boxes = cornersOf(node, lowering, lowering.read(node, 0));
  const scores = lowering.read(node, 1);
  const [batch = 1, count = 1] = boxes.shape;
  const classes = scores.shape[1] ?? 1;
  const limit = (index: number, fallback: number): number => {
    const value = lowering.optional(node, index);
    return value === null ? fallback : (lowering.fixed(value, 'a limit of the suppression')[0] ?? fallback);
  };
  const most = Math.min(limit(2, 0), count);
  if (most <= 0) throw new Refusal('a value is empty, and LiteRT loads no empty tensors');
  const limits = [
    lowering.scalar(most, 'int32'),
    lowering.scalar(limit(3, 0)),
    lowering.scalar(limit(4, Number.NEGATIVE_INFINITY)),
  ];
  const rows: TflTensor[] = [];
  const flags: TflTensor[] = [];
  const order = lowering.constant(
    'int32',
    Array.from({ length: most }, (_, at) => at),
    [most],
  );
  for (let sample = 0; sample < batch; sample++) {
    const own = lowering.reshape(lowering.slice(boxes, [sample, 0, 0], [1, count, 4]), [count, 4]);
    for (let each = 0; each < classes; each++) {
      const score = lowering.reshape(lowering.slice(scores, [sample, each, 0], [1, 1, count]), [count]);
      const [chosen, valid] = lowering.emitAll(
        'NON_MAX_SUPPRESSION_V4',
        [own, score, ...limits],
        [
          { shape: [most], dtype: 'int32' },
          { shape: [], dtype: 'int32' },
        ],
      ) as [TflTensor, TflTensor];
      const where = new Int32Array(most * 2).map((_, at) => (at % 2 === 0 ? sample : each));
      const names = lowering.constant('int32', where, [most, 2]);
      rows.push(lowering.concat([names, lowering.reshape(chosen, [most, 1])], 1));
      flags.push(lowering.binary('LESS', order, valid, 'bool'));
    }
  }
  const places = placesOfTrue(lowering, lowering.concat(flags, 0), kept);
  lowering.result(node, lowering.cast(lowering.gather(lowering.concat(rows, 0), places, 0), 'int64'));
}

/** [y1, x1, y2, x2] of boxes that are [x, y, width, height] around their centres. */
function cornersOf(node: Node, lowering: Lowering, boxes: TflTensor): TflTensor {
  if (node.int('center_point_box', 0) === 0) return boxes;
  const [batch = 1, count = 1] = boxes.shape;
  const part = (index: number): TflTensor => lowering.slice(boxes, [0, 0, index], [batch, count, 1]);
  const corner = (centre: number, size: number, sign: number): TflTensor =>
    lowering.add(part(centre), lowering.mul(part(size), sign / 2));
  return lowering.concat([corner(1, 3, -1), corner(0, 2, -1), corner(1, 3, 1), corner(0, 2, 1)], 2);
}

/**
 * Bilinear samples on a grid in each region, then their mean or maximum. The region's sample may be computed; how many samples
 * a bin has must be fixed, as `sampling_ratio`. Source: ONNX's RoiAlign and ONNX Runtime's kernel.
 */
function roiAlign(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const regions = lowering.read(node, 1);
  const owners = lowering.cast(lowering.read(node, 2), 'int32');
  const ratio = node.int('sampling_ratio', 0);
  if (ratio <= 0) throw new Refusal('samples by the size of each region, which is data; export with a sampling_ratio');
  const [height, width] = [node.int('output_height', 1), node.int('output_width', 1)];
  const scale = node.float('spatial_scale', 1);
  const isHalfPixel = node.string('coordinate_transformation_mode', 'half_pixel') === 'half_pixel';
  const isMax = node.string('mode', 'avg') === 'max';
  if (isMax) throw new Refusal('the maximum of weighted corners, which ONNX Runtime takes apart; export with mode avg');
  const [count = 1] = regions.shape;
  const edge = (index: number): TflTensor => {
    const scaled = lowering.mul(lowering.slice(regions, [0, index], [count, 1]), scale);
    return isHalfPixel ? lowering.sub(scaled, 0.5) : scaled;
  };
  const along = (from: number, to: number, bins: number, size: number): TflTensor => {
    const [begin, end] = [edge(from), edge(to)];
    const extent = lowering.sub(end, begin);
    const whole = isHalfPixel ? extent : lowering.binary('MAXIMUM', extent, 1);
    const parts = Array.from({ length: bins * ratio }, (_, at) => (at + 0.5) / (bins * ratio));
    const shares = lowering.constant('float32', parts, [1, bins * ratio]);
    const at = lowering.add(begin, lowering.mul(whole, shares));
    // Beyond one element outside nothing counts; within it the edge does.
    const isFar = lowering.binary(
      'LOGICAL_OR',
      lowering.binary('LESS', at, -1, 'bool'),
      lowering.binary('GREATER', at, size, 'bool'),
    );
    return lowering.select(isFar, lowering.scalar(-10), lowering.clamp(at, 0, size - 1));
  };
  const [rows, columns] = [height * ratio, width * ratio];
  const [, channels = 1, tall = 1, wide = 1] = x.shape;
  const spread = (at: TflTensor, shape: readonly number[]): TflTensor =>
    lowering.reshape(lowering.broadcastTo(lowering.reshape(at, shape), [count, rows, columns]), [
      count,
      rows * columns,
    ]);
  const places = [
    { at: spread(along(1, 3, height, tall), [count, rows, 1]), size: tall, low: 0, high: tall - 1 },
    { at: spread(along(0, 2, width, wide), [count, 1, columns]), size: wide, low: 0, high: wide - 1 },
  ];
  const images = lowering.gather(rowsOf(lowering, x), owners, 0);
  const sampled = sampleLinear(lowering, images, places);
  const bins = lowering.reshape(sampled, [count * height, ratio, width, ratio * channels]);
  const tallMean = lowering.reshape(lowering.reduce('MEAN', bins, [1]), [count * height, width, ratio, channels]);
  const mean = lowering.reshape(lowering.reduce('MEAN', tallMean, [2]), [count, height, width, channels]);
  lowering.result(node, lowering.transpose(mean, [0, 3, 1, 2]));
}

/** A GATHER of the elements for which the condition is true. */
function compress(node: Node, lowering: Lowering): void {
  const read = lowering.read(node, 0);
  const isFlat = !node.attributes.has('axis');
  const x = isFlat ? lowering.reshape(read, [read.shape.reduce((all, dim) => all * dim, 1)]) : read;
  const axis = isFlat ? 0 : positive(node.int('axis', 0), x.shape.length);
  const value = lowering.input(node, 1);
  const known = lowering.numbers(value)?.flatMap((flag, index) => (flag === 0 ? [] : [index]));
  const kept = lowering.resultType(node).shape[axis] ?? 1;
  const places = known === undefined ? placesOfTrue(lowering, lowering.tensor(value), kept) : lowering.int32(known);
  lowering.result(node, lowering.gather(x, places, axis));
}

/** The coordinates of what is not zero, a row for each axis. */
function nonZero(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const count = x.shape.reduce((all, dim) => all * dim, 1);
  const kept = lowering.resultType(node).shape[1] ?? 1;
  const flat = lowering.reshape(x, [count]);
  const flags = flat.dtype === 'bool' ? flat : lowering.binary('NOT_EQUAL', flat, 0, 'bool');
  const places = placesOfTrue(lowering, flags, kept);
  const rows = x.shape.map((dim, axis) => {
    const inner = x.shape.slice(axis + 1).reduce((all, each) => all * each, 1);
    const outer = lowering.binary('FLOOR_DIV', places, inner);
    return lowering.reshape(lowering.binary('FLOOR_MOD', outer, dim), [1, kept]);
  });
  lowering.result(node, lowering.cast(lowering.concat(rows, 0), 'int64'));
}
