/** What one output position of a convolution reads, in the order in which integer kernels add it up. */
import type { Node } from '../graph/node.ts';
import type { HostTensor } from '../lib/engine.ts';

/** A convolution of one or two spatial dimensions; one dimension is seen as a picture of height 1. */
export interface ConvolutionShape {
  readonly groups: number;
  /** Input channels of one group. */
  readonly inputs: number;
  /** Height times width of the kernel. */
  readonly window: number;
  readonly kernel: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
  /** Top and left; null where the output's size decides, with SAME_UPPER or SAME_LOWER. */
  readonly pads: readonly [number, number] | null;
  readonly lower: boolean;
}

/** Null for a convolution of three dimensions or more. */
export function convolutionShape(node: Node, weightShape: readonly number[]): ConvolutionShape | null {
  const spatial = weightShape.length - 2;
  if (spatial !== 1 && spatial !== 2) return null;
  const pair = (values: readonly number[], filler: number): [number, number] =>
    spatial === 1 ? [filler, values[0] ?? filler] : [values[0] ?? filler, values[1] ?? filler];
  const kernel = pair(weightShape.slice(2), 1);
  const automatic = node.string('auto_pad', 'NOTSET');
  const same = automatic === 'SAME_UPPER' || automatic === 'SAME_LOWER';
  return {
    groups: node.int('group', 1),
    inputs: weightShape[1] ?? 1,
    window: kernel[0] * kernel[1],
    kernel,
    strides: pair(node.ints('strides') ?? [], 1),
    dilations: pair(node.ints('dilations') ?? [], 1),
    pads: same ? null : automatic === 'VALID' ? [0, 0] : pair(node.ints('pads') ?? [], 0),
    lower: automatic === 'SAME_LOWER',
  };
}

/** Fills `into` with the elements that the output position `place` of a sample reads for a group. */
export type WindowReader = (sample: number, group: number, place: number, into: Uint8Array) => void;

/** Reads those `elements` of windows [kernel position, channel] of `codes`; outside the picture stands the code of zero. */
export function windowReader(
  codes: HostTensor,
  outputShape: readonly number[],
  convolution: ConvolutionShape,
  zeroPoint: number,
  elements: Int32Array,
): WindowReader {
  const data = codes.data as Uint8Array;
  const flat = codes.shape.length === 3;
  const channels = codes.shape[1] ?? 1;
  const [height, width] = flat ? [1, codes.shape[2] ?? 1] : [codes.shape[2] ?? 1, codes.shape[3] ?? 1];
  const outputs: [number, number] = flat ? [1, outputShape[2] ?? 1] : [outputShape[2] ?? 1, outputShape[3] ?? 1];
  const [top, left] = convolution.pads ?? samePads(convolution, [height, width], outputs);
  const { inputs, kernel, dilations, strides } = convolution;
  const down = elements.map((element) => Math.floor(element / inputs / kernel[1]) * dilations[0]);
  const across = elements.map((element) => (Math.floor(element / inputs) % kernel[1]) * dilations[1]);
  const offsets = elements.map(
    (element, index) => ((element % inputs) * height + (down[index] as number)) * width + (across[index] as number),
  );
  return (sample, group, place, into) => {
    const row = Math.floor(place / outputs[1]) * strides[0] - top;
    const column = (place % outputs[1]) * strides[1] - left;
    const start = ((sample * channels + group * inputs) * height + row) * width + column;
    const inside =
      row >= 0 &&
      column >= 0 &&
      row + (kernel[0] - 1) * dilations[0] < height &&
      column + (kernel[1] - 1) * dilations[1] < width;
    for (let index = 0; index < offsets.length; index++) {
      const y = row + (down[index] as number);
      const x = column + (across[index] as number);
      into[index] =
        inside || (y >= 0 && y < height && x >= 0 && x < width)
          ? (data[start + (offsets[index] as number)] as number)
          : zeroPoint;
    }
  };
}

/** Top and left padding of SAME_UPPER and SAME_LOWER. */
export function samePads(
  { kernel, strides, dilations, lower }: ConvolutionShape,
  size: readonly [number, number],
  outputs: readonly [number, number],
): [number, number] {
  const one = (axis: 0 | 1): number => {
    const reach = (outputs[axis] - 1) * strides[axis] + (kernel[axis] - 1) * dilations[axis] + 1;
    const total = Math.max(0, reach - size[axis]);
    return lower ? Math.ceil(total / 2) : Math.floor(total / 2);
  };
  return [one(0), one(1)];
}
