/** Patches and planes put together or taken apart: Col2Im, MaxUnpool, CenterCropPad, DeformConv. */
import type { Node } from '../../../graph/node.ts';
import type { TflTensor } from '../ir.ts';
import type { Lowering } from './lowering.ts';
import type { Lower } from './registry.ts';
import { rowsOf, sampleLinear } from './sampling.ts';
import { positive } from './terms.ts';
import { windowOf } from './window.ts';

export const PATCH_LOWERINGS: Readonly<Record<string, Lower>> = {
  Col2Im: col2Im,
  MaxUnpool: maxUnpool,
  CenterCropPad: centerCropPad,
  DeformConv: deformConv,
};

const size = (shape: readonly number[]): number => shape.reduce((all, dim) => all * dim, 1);

/** Indices of all elements of a shape, one after another. */
function* placesOf(shape: readonly number[]): Iterable<number[]> {
  for (let at = 0; at < size(shape); at++)
    yield shape.map((dim, axis) => Math.floor(at / size(shape.slice(axis + 1))) % dim);
}

/** Elements of overlapping blocks added up: each goes to its place in the image, or to one behind it that is cut off. */
function col2Im(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const image = lowering.fixed(lowering.input(node, 1), 'the shape of the image');
  const block = lowering.fixed(lowering.input(node, 2), 'the shape of a block');
  const rank = image.length;
  const ones = new Array<number>(rank).fill(1);
  const strides = node.ints('strides') ?? ones;
  const dilations = node.ints('dilations') ?? ones;
  const pads = node.ints('pads') ?? new Array<number>(2 * rank).fill(0);
  const steps = image.map((dim, axis) => {
    const extent = ((block[axis] ?? 1) - 1) * (dilations[axis] ?? 1) + 1;
    return Math.floor((dim + (pads[axis] ?? 0) + (pads[axis + rank] ?? 0) - extent) / (strides[axis] ?? 1)) + 1;
  });
  const elements = size(image);
  const targets: number[] = [];
  for (const tap of placesOf(block)) {
    for (const step of placesOf(steps)) {
      const at = image.map(
        (_, axis) =>
          (step[axis] ?? 0) * (strides[axis] ?? 1) + (tap[axis] ?? 0) * (dilations[axis] ?? 1) - (pads[axis] ?? 0),
      );
      const isInside = at.every((place, axis) => place >= 0 && place < (image[axis] ?? 1));
      targets.push(isInside ? at.reduce((flat, place, axis) => flat * (image[axis] ?? 1) + place, 0) : elements);
    }
  }
  const [batch = 1, rows = 1] = x.shape;
  const channels = rows / size(block);
  const columns = lowering.reshape(x, [batch * channels, targets.length]);
  const inputs = [
    lowering.constant('int32', targets, [targets.length, 1]),
    lowering.transpose(columns, [1, 0]),
    lowering.int32([elements + 1, batch * channels]),
  ];
  const added = lowering.emit('SCATTER_ND', inputs, { shape: [elements + 1, batch * channels], dtype: x.dtype });
  const whole = lowering.transpose(lowering.slice(added, [0, 0], [elements, batch * channels]), [1, 0]);
  lowering.result(node, lowering.reshape(whole, lowering.resultType(node).shape));
}

/** Elements back to the places that MaxPool told, zeros elsewhere. */
function maxUnpool(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const { shape } = lowering.resultType(node);
  const count = size(x.shape);
  const indices = lowering.cast(lowering.reshape(lowering.read(node, 1), [count, 1]), 'int32');
  const flat = lowering.reshape(x, [count]);
  const output = { shape: [size(shape)], dtype: x.dtype };
  const y = lowering.emit('SCATTER_ND', [indices, flat, lowering.int32([size(shape)])], output);
  lowering.result(node, lowering.reshape(y, shape));
}

/** The middle of a tensor that is too large, and zeros around one that is too small. */
function centerCropPad(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const wanted = lowering.fixed(lowering.input(node, 1), 'the shape');
  const axes = (node.ints('axes') ?? x.shape.map((_, axis) => axis)).map((axis) => positive(axis, x.shape.length));
  const begin = x.shape.map(() => 0);
  const kept = [...x.shape];
  const pads = x.shape.map(() => [0, 0]);
  axes.forEach((axis, index) => {
    const [from, to] = [x.shape[axis] ?? 1, wanted[index] ?? 1];
    const start = Math.floor(Math.abs(to - from) / 2);
    if (from > to) {
      begin[axis] = start;
      kept[axis] = to;
    } else pads[axis] = [start, to - from - start];
  });
  const cut = lowering.slice(x, begin, kept);
  const shape = kept.map((dim, axis) => dim + (pads[axis]?.[0] ?? 0) + (pads[axis]?.[1] ?? 0));
  if (shape.join() === kept.join()) {
    lowering.result(node, lowering.reshape(cut, shape));
    return;
  }
  const paddings = lowering.constant('int32', pads.flat(), [pads.length, 2]);
  lowering.result(node, lowering.emit('PAD', [cut, paddings], { shape, dtype: x.dtype }));
}

/** Each tap of each group of offsets is sampled where its offset says; then a product with the weights, group by group. */
function deformConv(node: Node, lowering: Lowering): void {
  const x = lowering.read(node, 0);
  const weights = lowering.read(node, 1);
  const offsets = lowering.read(node, 2);
  const mask = lowering.optional(node, 4) === null ? null : lowering.read(node, 4);
  const [outputs = 1, perGroup = 1, ...kernel] = weights.shape;
  const { strides, dilations, starts, output } = windowOf(node, x.shape, kernel);
  const [batch = 1, channels = 1, height = 1, width = 1] = x.shape;
  const [groups, offsetGroups] = [node.int('group', 1), node.int('offset_group', 1)];
  const [taps, places] = [size(kernel), size(output)];
  const rows = rowsOf(lowering, x);
  const depth = channels / offsetGroups;
  const column = (from: TflTensor, index: number): TflTensor =>
    lowering.reshape(lowering.slice(from, [0, index, 0, 0], [batch, 1, ...output]), [batch, places]);
  // [taps][offset group]: [batch, places, depth]
  const sampled = Array.from({ length: taps }, (_, tap) => {
    const at = [Math.floor(tap / (kernel[1] ?? 1)), tap % (kernel[1] ?? 1)];
    const parts = Array.from({ length: offsetGroups }, (__, group) => {
      const coordinates = [height, width].map((length, axis) => {
        const plain = Array.from({ length: places }, (___, place) => {
          const [row, col] = [Math.floor(place / (output[1] ?? 1)), place % (output[1] ?? 1)];
          const step = (axis === 0 ? row : col) * (strides[axis] ?? 1);
          return step + (at[axis] ?? 0) * (dilations[axis] ?? 1) - (starts[axis] ?? 0);
        });
        const moved = column(offsets, (group * taps + tap) * 2 + axis);
        const base = lowering.constant('float32', plain, [1, places]);
        return { at: lowering.add(moved, base), size: length, low: 0, high: length - 1 };
      });
      const own = lowering.slice(rows, [0, 0, group * depth], [batch, height * width, depth]);
      const values = sampleLinear(lowering, own, coordinates);
      const weight = mask && lowering.reshape(column(mask, group * taps + tap), [batch, places, 1]);
      return weight === null ? values : lowering.mul(values, weight);
    });
    return lowering.reshape(lowering.concat(parts, 2), [batch, places, channels, 1]);
  });
  const patches = lowering.concat(sampled, 3);
  const products = Array.from({ length: groups }, (_, group) => {
    const part = lowering.slice(patches, [0, 0, group * perGroup, 0], [batch, places, perGroup, taps]);
    const left = lowering.reshape(part, [batch, places, perGroup * taps]);
    const own = lowering.slice(weights, [(group * outputs) / groups, 0, 0, 0], [outputs / groups, perGroup, ...kernel]);
    const right = lowering.reshape(own, [1, outputs / groups, perGroup * taps]);
    return lowering.matmul(left, right, { adjY: true });
  });
  const whole = lowering.concat(products, 2);
  const bias = lowering.optional(node, 3);
  const y = bias === null ? whole : lowering.add(whole, lowering.read(node, 3));
  lowering.result(node, lowering.reshape(lowering.transpose(y, [0, 2, 1]), [batch, outputs, ...output]));
}
