/** What the layers that slide a window over a picture share: sizes, and where padding goes. */
import { type Attribute, intsAttribute, stringAttribute } from '../../../graph/attribute.ts';
import type { GraphBuilder, Layout, Size } from './builder.ts';

export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** `same`, `valid` or `causal`. */
  readonly padding: string;
}

/** The spatial sizes of a shape in the order of Keras. */
export function spatial(shape: readonly Size[], layout: Layout): Size[] {
  return layout === 'first' ? shape.slice(1, -1) : shape.slice(2);
}

export function channelsOf(shape: readonly Size[], layout: Layout): Size {
  return (layout === 'first' ? shape.at(-1) : shape[1]) ?? null;
}

export function withSizes(shape: readonly Size[], layout: Layout, sizes: readonly Size[], channels: Size): Size[] {
  const batch = shape[0] ?? null;
  return layout === 'first' ? [batch, ...sizes, channels] : [batch, channels, ...sizes];
}

/** How far a window reaches: a kernel of 3 with dilation 2 reaches over 5. */
const reach = ({ kernel, dilations }: Window, axis: number): number =>
  ((kernel[axis] ?? 1) - 1) * (dilations[axis] ?? 1) + 1;

/** What the window leaves of sizes. */
export function slid(sizes: readonly Size[], window: Window): Size[] {
  return sizes.map((size, axis) => {
    if (size === null) return null;
    const stride = window.strides[axis] ?? 1;
    const free = window.padding === 'valid' ? size - reach(window, axis) + 1 : size;
    return Math.max(0, Math.ceil(free / stride));
  });
}

/**
 * The padding as ONNX says it. TensorFlow's `same` depends on the size and puts the larger half at the end; sizes that are known
 * are written out, others are left to the runtime, whose SAME_UPPER is the same rule.
 */
export function padding(sizes: readonly Size[], window: Window, builder: GraphBuilder): Record<string, Attribute> {
  const rank = window.kernel.length;
  if (window.padding === 'valid') return {};
  if (window.padding === 'causal') {
    const begin = window.kernel.map((_, axis) => reach(window, axis) - 1);
    return { pads: intsAttribute([...begin, ...new Array<number>(rank).fill(0)]) };
  }
  if (window.padding !== 'same')
    throw builder.unsupported(`has the padding ${window.padding}, which Hone does not know.`);
  if (sizes.includes(null)) return { auto_pad: stringAttribute('SAME_UPPER') };
  const begin: number[] = [];
  const end: number[] = [];
  sizes.forEach((size, axis) => {
    const stride = window.strides[axis] ?? 1;
    const known = size ?? 1;
    const total = Math.max(0, (Math.ceil(known / stride) - 1) * stride + reach(window, axis) - known);
    begin.push(Math.floor(total / 2));
    end.push(total - Math.floor(total / 2));
  });
  return { pads: intsAttribute([...begin, ...end]) };
}

export function windowAttributes({ kernel, strides }: Window): Record<string, Attribute> {
  return { kernel_shape: intsAttribute(kernel), strides: intsAttribute(strides) };
}
