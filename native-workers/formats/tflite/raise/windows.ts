/** Operators that slide a window over a picture: convolutions, pools, resizing. All work on NCHW in ONNX. */

import type { Attribute } from '../../../graph/attribute.ts';
import { intAttribute, intsAttribute, stringAttribute } from '../../../graph/attribute.ts';
import { keepPadding } from '../../pool-padding.ts';
import type { TfliteOperator } from '../file.ts';
import type { GraphBuilder } from './builder.ts';
import { codesOf } from './codes.ts';
import { activate, input, Options, output, type Raise } from './operator.ts';
import { averagePoolCodes, resizedCodes } from './rounding.ts';

const SAME = 0;

/** TFLite's SAME puts the larger half at the end; the sizes are static, so the paddings are written out. */
function pads(
  code: number,
  size: readonly number[],
  kernel: readonly number[],
  strides: readonly number[],
  dilations: readonly number[],
): Attribute {
  if (code !== SAME) return intsAttribute(kernel.flatMap(() => [0, 0]));
  const begin: number[] = [];
  const end: number[] = [];
  kernel.forEach((length, axis) => {
    const stride = strides[axis] ?? 1;
    const reach = (length - 1) * (dilations[axis] ?? 1) + 1;
    const inputSize = size[axis] ?? 1;
    const total = Math.max(0, (Math.ceil(inputSize / stride) - 1) * stride + reach - inputSize);
    begin.push(Math.floor(total / 2));
    end.push(total - Math.floor(total / 2));
  });
  return intsAttribute([...begin, ...end]);
}

const conv: Raise = (operator, builder) => {
  const depthwise = operator.type === 'DEPTHWISE_CONV_2D';
  const options = new Options(operator, depthwise ? 'DepthwiseConv2DOptions' : 'Conv2DOptions');
  const [data, weight] = [input(operator, 0, builder), input(operator, 1, builder)];
  const source = builder.tensor(data);
  const filter = builder.tensor(weight);
  const [, height = 1, width = 1, last = 1] = filter.shape;
  const channels = source.shape[3] ?? 1;
  const strides = [options.int('stride_h', 1), options.int('stride_w', 1)];
  const dilations = [options.int('dilation_h_factor', 1), options.int('dilation_w_factor', 1)];
  // OHWI to OIHW; depthwise filters are 1HWC and become CHW with one input channel each.
  const kernel = builder.weights(weight, depthwise ? [3, 0, 1, 2] : [0, 3, 1, 2]);
  const bias = operator.inputs[2];
  const y = builder.op(
    'Conv',
    [
      builder.value(data, 'nchw'),
      kernel,
      bias === undefined || bias < 0
        ? null
        : builder.bias(bias, quantizedInput(source.quantization, source.dtype), filter.quantization),
    ].filter((value, index) => index < 2 || value !== null),
    {
      kernel_shape: intsAttribute([height, width]),
      strides: intsAttribute(strides),
      dilations: intsAttribute(dilations),
      pads: pads(options.byte('padding'), source.shape.slice(1, 3), [height, width], strides, dilations),
      group: intAttribute(depthwise ? channels : channels / last),
    },
  );
  builder.define(
    output(operator, builder),
    activate(y, options.byte('fused_activation_function'), operator, builder),
    'nchw',
  );
};

function quantizedInput<Info>(quantization: Info | null, dtype: string): Info | null {
  return dtype === 'float32' ? null : quantization;
}

const transposeConv: Raise = (operator, builder) => {
  const options = new Options(operator, 'TransposeConvOptions');
  const [weight, data] = [input(operator, 1, builder), input(operator, 2, builder)];
  const source = builder.tensor(data);
  const [, height = 1, width = 1] = builder.tensor(weight).shape;
  const strides = [options.int('stride_h', 1), options.int('stride_w', 1)];
  const target = builder.tensor(output(operator, builder)).shape.slice(1, 3);
  // Begin as the forward convolution of the output's size would pad; what is left over goes to the end.
  const begin: number[] = [];
  const end: number[] = [];
  [height, width].forEach((length, axis) => {
    const full = ((source.shape[axis + 1] ?? 1) - 1) * (strides[axis] ?? 1) + length;
    const cut = full - (target[axis] ?? full);
    begin.push(options.byte('padding') === SAME ? Math.max(0, Math.floor(cut / 2)) : 0);
    end.push(cut - (begin[axis] ?? 0));
  });
  const extra = end.map((value) => Math.max(0, -value));
  const bias = operator.inputs[3];
  const inputs = [builder.value(data, 'nchw'), builder.weights(weight, [3, 0, 1, 2])];
  if (bias !== undefined && bias >= 0)
    inputs.push(
      builder.bias(bias, quantizedInput(source.quantization, source.dtype), builder.tensor(weight).quantization),
    );
  const y = builder.op('ConvTranspose', inputs, {
    kernel_shape: intsAttribute([height, width]),
    strides: intsAttribute(strides),
    pads: intsAttribute([...begin, ...end.map((value) => Math.max(0, value))]),
    output_padding: intsAttribute(extra),
  });
  builder.define(
    output(operator, builder),
    activate(y, options.byte('fused_activation_function'), operator, builder),
    'nchw',
  );
};

const pool: Raise = (operator, builder) => {
  const options = new Options(operator, 'Pool2DOptions');
  const data = input(operator, 0, builder);
  const isAverage = operator.type === 'AVERAGE_POOL_2D';
  const kernel = [options.int('filter_height', 1), options.int('filter_width', 1)];
  const strides = [options.int('stride_h', 1), options.int('stride_w', 1)];
  const count = kernel.reduce((all, size) => all * size, 1);
  // Windows that SAME cuts hold fewer elements, of odd and even number.
  const counts = options.byte('padding') === SAME && count > 1 ? [count, 2] : [count];
  const as = isAverage ? averagePoolCodes(codesOf(builder.tensor(data)), counts) : null;
  const x = builder.value(data, 'nchw', as?.input);
  keepPadding(x, () => builder.float(-0));
  const y = builder.op(isAverage ? 'AveragePool' : 'MaxPool', [x], {
    kernel_shape: intsAttribute(kernel),
    strides: intsAttribute(strides),
    // Padding is left out of the average in both formats (count_include_pad 0).
    pads: pads(options.byte('padding'), builder.tensor(data).shape.slice(1, 3), kernel, strides, [1, 1]),
  });
  builder.define(
    output(operator, builder),
    activate(y, options.byte('fused_activation_function'), operator, builder),
    'nchw',
    as?.output,
  );
};

const resize: Raise = (operator, builder) => {
  const bilinear = operator.type === 'RESIZE_BILINEAR';
  const options = new Options(operator, bilinear ? 'ResizeBilinearOptions' : 'ResizeNearestNeighborOptions');
  const data = input(operator, 0, builder);
  const [height = 1, width = 1] = builder.numbers(input(operator, 1, builder));
  const [batch = 1, , , channels = 1] = builder.tensor(data).shape;
  const align = options.bool('align_corners');
  const half = options.bool('half_pixel_centers');
  const as = bilinear ? resizedCodes(codesOf(builder.tensor(data))) : null;
  const y = builder.op(
    'Resize',
    [builder.value(data, 'nchw', as?.input), null, null, builder.int64s([batch, channels, height, width])],
    {
      mode: stringAttribute(bilinear ? 'linear' : 'nearest'),
      coordinate_transformation_mode: stringAttribute(align ? 'align_corners' : half ? 'half_pixel' : 'asymmetric'),
      ...(bilinear ? {} : { nearest_mode: stringAttribute(align || half ? 'round_prefer_ceil' : 'floor') }),
    },
  );
  builder.define(output(operator, builder), y, 'nchw', as?.output);
};

const blocks: Raise = (operator, builder) => {
  const toDepth = operator.type === 'SPACE_TO_DEPTH';
  const size = new Options(operator, toDepth ? 'SpaceToDepthOptions' : 'DepthToSpaceOptions').int('block_size', 1);
  const y = builder.op(
    toDepth ? 'SpaceToDepth' : 'DepthToSpace',
    [builder.value(input(operator, 0, builder), 'nchw')],
    { blocksize: intAttribute(size) },
  );
  builder.define(output(operator, builder), y, 'nchw');
};

export const WINDOWS: Readonly<Record<string, (operator: TfliteOperator, builder: GraphBuilder) => void>> = {
  CONV_2D: conv,
  DEPTHWISE_CONV_2D: conv,
  TRANSPOSE_CONV: transposeConv,
  AVERAGE_POOL_2D: pool,
  MAX_POOL_2D: pool,
  RESIZE_BILINEAR: resize,
  RESIZE_NEAREST_NEIGHBOR: resize,
  SPACE_TO_DEPTH: blocks,
  DEPTH_TO_SPACE: blocks,
};
