/**
 * What a layer multiplies with each row of its weight: the elements of its input that one output position reads, in the order in
 * which they stand in the weight. A few positions of each sample stand for all.
 */
import type { Node } from '../graph/node.ts';
import type { HostTensor } from '../lib/engine.ts';
import { convolutionShape, samePads } from './convolution-window.ts';

export interface LayerRows {
  readonly groups: number;
  /** Elements of a row: input channels of a group times the window, or the length of the contracted axis. */
  readonly columns: number;
  /** Output positions of one sample. */
  positions(data: HostTensor): number;
  reader(data: HostTensor): RowReader;
}

/** Writes the row that `position` of `sample` reads for `group` to `into` from `at` on, zeros where padding stands. */
export type RowReader = (sample: number, group: number, position: number, into: Float32Array, at: number) => void;

/** Null for a convolution of three dimensions or more. */
export function layerRows(node: Node, weightShape: readonly number[], inputAxis: number): LayerRows | null {
  return node.opType === 'Conv' ? convolutionRows(node, weightShape) : productRows(weightShape[inputAxis] ?? 1);
}

function productRows(columns: number): LayerRows {
  const positions = ({ shape }: HostTensor): number => shape.slice(1, -1).reduce((product, dim) => product * dim, 1);
  return {
    groups: 1,
    columns,
    positions,
    reader(data) {
      const values = data.data as Float32Array;
      const each = positions(data);
      return (sample, _group, position, into, at) => {
        const from = (sample * each + position) * columns;
        into.set(values.subarray(from, from + columns), at);
      };
    },
  };
}

function convolutionRows(node: Node, weightShape: readonly number[]): LayerRows | null {
  const convolution = convolutionShape(node, weightShape);
  if (convolution === null) return null;
  const { groups, inputs, kernel, strides, dilations, pads } = convolution;
  const ends = node.ints('pads') ?? [];
  const end: [number, number] = ends.length === 2 ? [0, ends[1] ?? 0] : [ends[2] ?? 0, ends[3] ?? 0];
  const sizeOf = ({ shape }: HostTensor): [number, number] =>
    shape.length === 3 ? [1, shape[2] ?? 1] : [shape[2] ?? 1, shape[3] ?? 1];
  const outputsOf = (size: readonly [number, number]): [number, number] => {
    const along = (axis: 0 | 1): number => {
      if (pads === null) return Math.ceil(size[axis] / strides[axis]);
      const reach = (kernel[axis] - 1) * dilations[axis] + 1;
      const padded = size[axis] + pads[axis] + (pads[0] + pads[1] > 0 || ends.length > 0 ? end[axis] : 0);
      return Math.max(0, Math.floor((padded - reach) / strides[axis]) + 1);
    };
    return [along(0), along(1)];
  };
  return {
    groups,
    columns: inputs * kernel[0] * kernel[1],
    positions(data) {
      const [height, width] = outputsOf(sizeOf(data));
      return height * width;
    },
    reader(data) {
      const values = data.data as Float32Array;
      const channels = data.shape[1] ?? 1;
      const size = sizeOf(data);
      const outputs = outputsOf(size);
      const [top, left] = pads ?? samePads(convolution, size, outputs);
      const [height, width] = size;
      return (sample, group, position, into, start) => {
        const row = Math.floor(position / outputs[1]) * strides[0] - top;
        const column = (position % outputs[1]) * strides[1] - left;
        const first = sample * channels + group * inputs;
        let at = start;
        for (let channel = first; channel < first + inputs; channel++) {
          for (let down = 0; down < kernel[0]; down++) {
            const y = row + down * dilations[0];
            const line = (channel * height + y) * width;
            for (let across = 0; across < kernel[1]; across++) {
              const x = column + across * dilations[1];
              const inside = y >= 0 && y < height && x >= 0 && x < width;
              into[at++] = inside ? (values[line + x] as number) : 0;
            }
          }
        }
      };
    },
  };
}
