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

/**
 * Fills `into` with those `elements` of the window [kernel position, channel] that one output position reads; outside the picture
 * stands the code of zero.
 */
export function readWindow(
  codes: HostTensor,
  outputShape: readonly number[],
  convolution: ConvolutionShape,
  at: { readonly sample: number; readonly group: number; readonly place: number },
  zeroPoint: number,
  elements: Int32Array,
  into: Uint8Array,
): void {
  const data = codes.data as Uint8Array;
  const flat = codes.shape.length === 3;
  const channels = codes.shape[1] ?? 1;
  const [height, width] = flat ? [1, codes.shape[2] ?? 1] : [codes.shape[2] ?? 1, codes.shape[3] ?? 1];
  const outputs: [number, number] = flat ? [1, outputShape[2] ?? 1] : [outputShape[2] ?? 1, outputShape[3] ?? 1];
  const [top, left] = convolution.pads ?? samePads(convolution, [height, width], outputs);
  const row = Math.floor(at.place / outputs[1]) * convolution.strides[0] - top;
  const column = (at.place % outputs[1]) * convolution.strides[1] - left;
  const first = at.sample * channels + at.group * convolution.inputs;
  const { inputs, kernel, dilations } = convolution;
  for (let index = 0; index < elements.length; index++) {
    const element = elements[index] as number;
    const place = Math.floor(element / inputs);
    const y = row + Math.floor(place / kernel[1]) * dilations[0];
    const x = column + (place % kernel[1]) * dilations[1];
    const inside = y >= 0 && y < height && x >= 0 && x < width;
    const channel = first + element - place * inputs;
    into[index] = inside ? (data[(channel * height + y) * width + x] as number) : zeroPoint;
  }
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
