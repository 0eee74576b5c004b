/** Convolutions. Keras keeps kernels as [...window, input, output]; ONNX wants [output, input, ...window]. */
import { intAttribute, intsAttribute } from '../../../graph/attribute.ts';
import { permutedTensor } from '../../../graph/late-tensor.ts';
import type { Tensor } from '../../../graph/tensor.ts';
import type { Value } from '../../../graph/value.ts';
import { activate } from './activation.ts';
import type { GraphBuilder, KerasTensor } from './builder.ts';
import { type Layer, onlyInput, type Raise } from './layer.ts';
import { channelsOf, padding, slid, spatial, type Window, windowAttributes, withSizes } from './window.ts';

/** The window of a layer of `rank` spatial dimensions whose kernel is `kernel`. */
function windowOf(layer: Layer, kernel: Tensor, rank: number): Window {
  return {
    kernel: kernel.shape.slice(0, rank),
    strides: layer.sizes('strides', rank, 1),
    dilations: layer.sizes('dilation_rate', rank, 1),
    padding: layer.text('padding', 'valid'),
  };
}

/** [...window, a, b] to [b, a, ...window]. */
function windowLast(kernel: Tensor, rank: number): Tensor {
  return permutedTensor(kernel, [rank + 1, rank, ...Array.from({ length: rank }, (_, axis) => axis)]);
}

function biasOf(layer: Layer, order: readonly string[]): Tensor | null {
  return layer.flag('use_bias', true) ? layer.weight('bias', order, 1) : null;
}

function checkInput(input: KerasTensor, rank: number, builder: GraphBuilder): void {
  if (input.shape.length !== rank + 2)
    throw builder.corrupt(`takes tensors of ${rank + 2} dimensions and is given one of ${input.shape.length}.`);
}

/** Adds Conv and the activation; `weights` as ONNX has them, of `channels` outputs. */
function convolve(
  layer: Layer,
  input: KerasTensor,
  weights: { kernel: Tensor; bias: Tensor | null; group: number },
  window: Window,
): { value: Value; shape: (number | null)[] } {
  const { builder, layout } = layer;
  const { kernel, bias, group } = weights;
  const sizes = spatial(input.shape, layout);
  const inputs = [builder.value(input, layout), builder.weight('kernel', kernel)];
  if (bias !== null) inputs.push(builder.weight('bias', bias));
  const value = builder.op('Conv', inputs, {
    ...windowAttributes(window),
    dilations: intsAttribute(window.dilations),
    ...padding(sizes, window, builder),
    group: intAttribute(group),
  });
  return { value, shape: withSizes(input.shape, layout, slid(sizes, window), kernel.shape[0] ?? null) };
}

function finish(layer: Layer, value: Value, shape: readonly (number | null)[]): KerasTensor {
  const { builder, layout } = layer;
  return builder.result(activate(value, layer.activation, shape.length, layout, layer), shape, layout);
}

const convolution =
  (rank: number): Raise =>
  (layer, inputs, builder) => {
    const input = onlyInput(inputs, builder);
    checkInput(input, rank, builder);
    const order = ['kernel', 'bias'];
    const stored = layer.weight('kernel', order, rank + 2);
    const kernel = windowLast(stored, rank);
    const weights = { kernel, bias: biasOf(layer, order), group: layer.number('groups', 1) };
    const { value, shape } = convolve(layer, input, weights, windowOf(layer, stored, rank));
    return finish(layer, value, shape);
  };

/** [...window, channels, multiplier] becomes [channels * multiplier, 1, ...window], one group a channel. */
function depthwiseKernel(stored: Tensor, rank: number): { kernel: Tensor; channels: number } {
  const [channels = 1, multiplier = 1] = stored.shape.slice(rank);
  const order = [rank, rank + 1, ...Array.from({ length: rank }, (_, axis) => axis)];
  const kernel = permutedTensor(stored, order).reshaped([channels * multiplier, 1, ...stored.shape.slice(0, rank)]);
  return { kernel, channels };
}

const depthwise =
  (rank: number): Raise =>
  (layer, inputs, builder) => {
    const input = onlyInput(inputs, builder);
    checkInput(input, rank, builder);
    // Keras 2 and .h5 files call it depthwise_kernel, Keras 3 kernel.
    const stored = kernelUnder(layer, ['depthwise_kernel', 'kernel'], rank + 2);
    const { kernel, channels } = depthwiseKernel(stored, rank);
    const weights = { kernel, bias: biasOf(layer, ['kernel', 'bias']), group: channels };
    const { value, shape } = convolve(layer, input, weights, windowOf(layer, stored, rank));
    return finish(layer, value, shape);
  };

/** The first weight of a layer under one of the names that versions of Keras gave it. */
function kernelUnder(layer: Layer, names: readonly string[], rank: number): Tensor {
  const name = names.find((each) => layer.hasWeight(each, [each, 'bias'])) ?? names[0] ?? 'kernel';
  return layer.weight(name, [name, 'bias'], rank);
}

/** A depthwise convolution and then one of 1 x 1, with nothing between them. */
const separable =
  (rank: number): Raise =>
  (layer, inputs, builder) => {
    const input = onlyInput(inputs, builder);
    checkInput(input, rank, builder);
    const order = ['depthwise_kernel', 'pointwise_kernel', 'bias'];
    const stored = layer.weight('depthwise_kernel', order, rank + 2);
    const { kernel, channels } = depthwiseKernel(stored, rank);
    const first = convolve(layer, input, { kernel, bias: null, group: channels }, windowOf(layer, stored, rank));
    const between: KerasTensor = {
      shape: first.shape,
      dtype: 'float32',
      forms: new Map([[layer.layout, first.value]]),
    };
    const pointwise = windowLast(layer.weight('pointwise_kernel', order, rank + 2), rank);
    const ones = new Array<number>(rank).fill(1);
    const { value, shape } = convolve(
      layer,
      between,
      { kernel: pointwise, bias: biasOf(layer, order), group: 1 },
      { kernel: ones, strides: ones, dilations: ones, padding: 'valid' },
    );
    return finish(layer, value, shape);
  };

/**
 * The gradient of a convolution: kernels are [...window, output, input], and padding is what the forward convolution of the
 * output's size would have (`deconv_output_length` of Keras, and TensorFlow's conv2d_transpose).
 */
const transposed =
  (rank: number): Raise =>
  (layer, inputs, builder) => {
    const input = onlyInput(inputs, builder);
    checkInput(input, rank, builder);
    const { layout } = layer;
    const order = ['kernel', 'bias'];
    const stored = layer.weight('kernel', order, rank + 2);
    const window = windowOf(layer, stored, rank);
    const given = layer.option('output_padding') == null ? null : layer.sizes('output_padding', rank, 0, 0);
    const begin: number[] = [];
    const end: number[] = [];
    const more: number[] = [];
    const sizes = spatial(input.shape, layout).map((size, axis) => {
      const stride = window.strides[axis] ?? 1;
      const reach = ((window.kernel[axis] ?? 1) - 1) * (window.dilations[axis] ?? 1) + 1;
      const isSame = window.padding === 'same';
      // What is cut of the full result, (size - 1) * stride + reach; negative where something is added.
      let cut = isSame ? reach - stride : Math.min(0, reach - stride);
      if (given !== null) cut = (isSame ? 2 * Math.floor(reach / 2) : 0) - (given[axis] ?? 0);
      const before = isSame ? Math.max(0, Math.floor(cut / 2)) : 0;
      begin.push(before);
      end.push(Math.max(0, cut - before));
      more.push(Math.max(0, before - cut));
      return size === null ? null : (size - 1) * stride + reach - cut;
    });
    const kernel = windowLast(stored, rank);
    const bias = biasOf(layer, order);
    const values = [builder.value(input, layout), builder.weight('kernel', kernel)];
    if (bias !== null) values.push(builder.weight('bias', bias));
    const value = builder.op('ConvTranspose', values, {
      ...windowAttributes(window),
      dilations: intsAttribute(window.dilations),
      pads: intsAttribute([...begin, ...end]),
      output_padding: intsAttribute(more),
    });
    return finish(
      layer,
      value,
      withSizes(input.shape, layout, sizes, kernel.shape[1] ?? channelsOf(input.shape, layout)),
    );
  };

export const CONVOLUTIONS: Readonly<Record<string, Raise>> = {
  Conv1D: convolution(1),
  Conv2D: convolution(2),
  Conv3D: convolution(3),
  DepthwiseConv1D: depthwise(1),
  DepthwiseConv2D: depthwise(2),
  SeparableConv1D: separable(1),
  SeparableConv2D: separable(2),
  Conv1DTranspose: transposed(1),
  Conv2DTranspose: transposed(2),
  Conv3DTranspose: transposed(3),
};
