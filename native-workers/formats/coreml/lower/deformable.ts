/** Convolution at computed places. Source: onnx Operators.md, DeformConv. */
import type { Node } from '../../../graph/node.ts';
import type { MilValue } from '../program.ts';
import { concat, expandDims, matmul, sliceAxis } from './builders.ts';
import { windowOf } from './convolution.ts';
import type { Lower, Lowering } from './lowering.ts';
import { type Coordinates, sampled } from './taps.ts';
import { Refusal, staticDims } from './terms.ts';

/** Each tap of each group of offsets is sampled where its offset says; then a product with the weights, group by group. */
function deformConv(node: Node, lowering: Lowering): void {
  // Places are counted in floats on the way, which float16 does not hold beyond 2048.
  lowering.precise();
  const [x, weights, offsets] = [0, 1, 2].map((index) => lowering.get(node, index)) as [MilValue, MilValue, MilValue];
  const mask = node.inputs[4] ? lowering.get(node, 4) : null;
  const [outputs = 1, perGroup = 1, ...kernel] = staticDims(weights.type.shape, 'the weights');
  const [batch = 1, channels = 1, ...sizes] = staticDims(x.type.shape, 'what is convolved');
  if (kernel.length !== 2) throw new Refusal('only pictures are convolved at computed places');
  const { strides, dilations, pads } = windowOf(node, sizes, kernel);
  const output = staticDims(lowering.shape(lowering.output(node)).slice(2), 'the result');
  const [groups, offsetGroups] = [node.int('group', 1), node.int('offset_group', 1)];
  const [rows = 1, columns = 1] = output;
  const places = rows * columns;
  const taps = kernel.reduce((product, size) => product * size, 1);
  const depth = channels / offsetGroups;
  const column = (from: MilValue, index: number): MilValue =>
    lowering.reshape(sliceAxis(lowering, from, 1, index, index + 1), [batch, places]);

  const placed = (tap: number, group: number): MilValue => {
    const at = [Math.floor(tap / (kernel[1] ?? 1)), tap % (kernel[1] ?? 1)];
    const axes = sizes.map((size, axis): Coordinates => {
      const plain = Array.from({ length: places }, (_, place) => {
        const step = axis === 0 ? Math.floor(place / columns) : place % columns;
        return step * (strides[axis] ?? 1) + (at[axis] ?? 0) * (dilations[axis] ?? 1) - (pads[axis] ?? 0);
      });
      const moved = column(offsets, (group * taps + tap) * 2 + axis);
      const base = lowering.floats(plain, [1, places], 'places');
      return { at: lowering.binary('add', moved, base), size, low: 0, high: size - 1 };
    });
    const own = offsetGroups === 1 ? x : sliceAxis(lowering, x, 1, group * depth, (group + 1) * depth);
    const values = sampled(lowering, own, axes, 'linear', 'zeros');
    if (mask === null) return values;
    return lowering.binary('mul', values, expandDims(lowering, column(mask, group * taps + tap), [2]));
  };
  const patches = Array.from({ length: taps }, (_, tap) => {
    const parts = Array.from({ length: offsetGroups }, (__, group) => placed(tap, group));
    return expandDims(lowering, concat(lowering, parts, 2), [3]);
  });
  // [batch, places, channels, taps]
  const whole = concat(lowering, patches, 3);
  const products = Array.from({ length: groups }, (_, group) => {
    const part = sliceAxis(lowering, whole, 2, group * perGroup, (group + 1) * perGroup);
    const left = lowering.reshape(part, [batch, places, perGroup * taps]);
    const own = sliceAxis(lowering, weights, 0, (group * outputs) / groups, ((group + 1) * outputs) / groups);
    const right = lowering.reshape(own, [outputs / groups, perGroup * taps]);
    return matmul(lowering, left, right, false, true);
  });
  let y = concat(lowering, products, 2);
  if (node.inputs[3]) y = lowering.binary('add', y, lowering.get(node, 3));
  lowering.result(node, lowering.reshape(lowering.transpose(y, [0, 2, 1]), [batch, outputs, ...output]));
}

export const DEFORMABLE: Readonly<Record<string, Lower>> = { DeformConv: deformConv };
