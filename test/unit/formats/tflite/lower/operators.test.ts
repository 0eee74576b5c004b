/** Operators with a decomposition, one node each, on LiteRT against ONNX Runtime: forms that ONNX's own tests do not have. */
import { describe, expect, it } from 'vitest';
import { type Attribute, floatAttribute, stringAttribute } from '../../../../../native-workers/graph/attribute.ts';
import type { Model } from '../../../../../native-workers/graph/model.ts';
import { tensorFromInt64, tensorFromNumbers } from '../../../../../native-workers/graph/tensor-values.ts';
import { tensorType } from '../../../../../native-workers/graph/types.ts';
import type { Value } from '../../../../../native-workers/graph/value.ts';
import type { Feeds, HostTensor } from '../../../../../native-workers/lib/engine.ts';
import { Random } from '../../../../../native-workers/lib/random.ts';
import { ModelBuilder } from '../../../../helpers/models.ts';
import { againstOnnxRuntime, agrees } from '../../../../helpers/tflite-lowering.ts';

const random = new Random(11);

/** Normal values times `scale`. */
function floats(shape: readonly number[], scale = 1): HostTensor {
  const count = shape.reduce((all, dim) => all * dim, 1);
  return { dtype: 'float32', shape, data: Float32Array.from({ length: count }, () => random.normal() * scale) };
}

function ints(values: readonly number[], shape: readonly number[], dtype: 'int32' | 'int64' = 'int64'): HostTensor {
  const data = dtype === 'int64' ? BigInt64Array.from(values, BigInt) : Int32Array.from(values);
  return { dtype, shape, data };
}

const VARIANCE: HostTensor = { dtype: 'float32', shape: [3], data: Float32Array.of(0.5, 1, 2) };

interface Case {
  readonly name: string;
  readonly type: string;
  /** Inputs of the model, by name, in the order of the operator's. */
  readonly feeds: Feeds;
  /** Operands behind the inputs: constants, or null for one that is left out. */
  readonly constants?: readonly (readonly number[] | number | null)[];
  readonly attributes?: Readonly<Record<string, Attribute | number | readonly number[]>>;
  readonly outputs?: number;
  readonly opset?: number;
  /** Outputs of integers, by place. */
  readonly whole?: readonly number[];
}

function modelOf({ type, feeds, constants = [], attributes = {}, outputs = 1, opset = 20, whole = [] }: Case): Model {
  const build = new ModelBuilder();
  const inputs: (Value | null)[] = Object.entries(feeds).map(([name, { shape, dtype }]) =>
    build.input(name, shape, dtype),
  );
  constants.forEach((constant, index) => {
    if (constant === null) inputs.push(null);
    else {
      const [values, shape] = typeof constant === 'number' ? [[constant], []] : [constant, [constant.length]];
      const isWhole = values.every(Number.isInteger);
      const tensor = isWhole ? tensorFromInt64(values, shape) : tensorFromNumbers('float32', values, shape);
      inputs.push(build.graph.addInitializer(`constant${index}`, tensor));
    }
  });
  const first = build.op(type, inputs, 'y0', attributes);
  const others = Array.from({ length: outputs - 1 }, (_, index) => {
    const value = build.graph.createValue(`y${index + 1}`);
    first.producer?.setOutput(index + 1, value);
    return value;
  });
  const all = [first, ...others];
  for (const index of whole) {
    const value = all[index];
    if (value !== undefined) value.type = tensorType('int64', null);
  }
  return build.outputs(...all).model(opset, 9);
}

const grids = ['linear', 'nearest', 'cubic'].flatMap((mode) =>
  ['zeros', 'border', 'reflection'].flatMap((padding) =>
    [0, 1].map(
      (aligned): Case => ({
        name: `GridSample ${mode}, ${padding}, align_corners ${aligned}`,
        type: 'GridSample',
        feeds: { x: floats([2, 3, 5, 4]), grid: floats([2, 3, 6, 2], 0.9) },
        attributes: {
          mode: stringAttribute(mode),
          padding_mode: stringAttribute(padding),
          align_corners: aligned,
        },
      }),
    ),
  ),
);

const scatters = ['none', 'add', 'mul', 'max', 'min'].flatMap((reduction): Case[] => [
  {
    name: `ScatterElements ${reduction}`,
    type: 'ScatterElements',
    feeds: { x: floats([3, 4]), i: ints([0, -1, 2, 1], [2, 2]), u: floats([2, 2]) },
    attributes: { axis: 1, reduction: stringAttribute(reduction) },
  },
  {
    name: `ScatterND of rows ${reduction}`,
    type: 'ScatterND',
    feeds: { x: floats([4, 2, 3]), i: ints([3, -4], [2, 1]), u: floats([2, 2, 3]) },
    attributes: { reduction: stringAttribute(reduction) },
  },
]);

const CASES: readonly Case[] = [
  ...grids,
  {
    name: 'GridSample of a volume',
    type: 'GridSample',
    feeds: { x: floats([1, 2, 3, 4, 5]), grid: floats([1, 2, 3, 2, 3], 0.8) },
    attributes: { mode: stringAttribute('linear') },
  },
  ...scatters,
  {
    name: 'RoiAlign, half pixels',
    type: 'RoiAlign',
    feeds: {
      x: floats([2, 3, 8, 8]),
      rois: { dtype: 'float32', shape: [3, 4], data: Float32Array.of(0, 0, 7, 7, 2, 3, 9.5, 6, 5, 1, 12, 20) },
      batch: ints([0, 1, 0], [3]),
    },
    attributes: { output_height: 2, output_width: 3, sampling_ratio: 2, spatial_scale: floatAttribute(0.7) },
    opset: 16,
  },
  {
    name: 'RoiAlign, as it was before',
    type: 'RoiAlign',
    feeds: {
      x: floats([1, 2, 6, 6]),
      rois: { dtype: 'float32', shape: [1, 4], data: Float32Array.of(1, 1, 1.5, 4) },
      batch: ints([0], [1]),
    },
    attributes: {
      output_height: 2,
      output_width: 2,
      sampling_ratio: 1,
      coordinate_transformation_mode: stringAttribute('output_half_pixel'),
    },
    opset: 16,
  },
  ...[0, 1].map(
    (onesided): Case => ({
      name: `DFT of real values, one side ${onesided}`,
      type: 'DFT',
      feeds: { x: floats([2, 8, 3, 1]) },
      constants: [null, 1],
      attributes: { onesided },
    }),
  ),
  {
    name: 'DFT of complex values, padded, over the last axis',
    type: 'DFT',
    feeds: { x: floats([2, 5, 2]) },
    constants: [8, -2],
  },
  {
    name: 'DFT back',
    type: 'DFT',
    feeds: { x: floats([1, 8, 2]) },
    constants: [null, 1],
    attributes: { inverse: 1 },
  },
  {
    name: 'DFT before opset 20',
    type: 'DFT',
    feeds: { x: floats([1, 8, 1]) },
    attributes: { axis: 1 },
    opset: 17,
  },
  {
    name: 'STFT with a window',
    type: 'STFT',
    feeds: { x: floats([2, 32, 1]) },
    constants: [4, [0.1, 0.5, 1.1, 1.4, 1.4, 1.1, 0.5, 0.1]],
    opset: 17,
  },
  {
    name: 'MaxPool over space, with a rest',
    type: 'MaxPool',
    feeds: { x: floats([1, 2, 5, 6, 7]) },
    attributes: { kernel_shape: [2, 3, 2], strides: [2, 1, 2], pads: [1, 1, 0, 0, 1, 1], ceil_mode: 1 },
  },
  {
    name: 'MaxPool with the places of the maxima',
    type: 'MaxPool',
    feeds: { x: floats([2, 2, 6, 5]) },
    attributes: { kernel_shape: [3, 2], strides: [2, 2], pads: [1, 0, 1, 1] },
    outputs: 2,
    whole: [1],
  },
  {
    name: 'AveragePool over space without its padding',
    type: 'AveragePool',
    feeds: { x: floats([1, 2, 5, 6, 7]) },
    attributes: { kernel_shape: [2, 3, 2], strides: [2, 1, 2], pads: [1, 1, 0, 0, 1, 1] },
  },
  {
    name: 'AveragePool over space with its padding',
    type: 'AveragePool',
    feeds: { x: floats([1, 2, 4, 4, 4]) },
    attributes: { kernel_shape: [3, 3, 3], pads: [1, 1, 1, 1, 1, 1], count_include_pad: 1 },
  },
  {
    name: 'TopK of the smallest integers along the first axis',
    type: 'TopK',
    feeds: { x: ints([5, 1, 4, 2, 3, 9, 8, 7], [4, 2]) },
    constants: [[2]],
    attributes: { largest: 0, axis: 0 },
    outputs: 2,
    whole: [0, 1],
  },
  {
    name: 'ArgMax, the last of equal ones',
    type: 'ArgMax',
    feeds: { x: { dtype: 'float32', shape: [2, 4], data: Float32Array.of(1, 3, 3, 2, 5, 5, 5, 5) } },
    attributes: { axis: 1, select_last_index: 1 },
    whole: [0],
  },
  {
    name: 'Where over five dimensions',
    type: 'Where',
    feeds: {
      c: { dtype: 'bool', shape: [2, 1, 2, 1, 1], data: Uint8Array.of(1, 0, 0, 1) },
      x: floats([2, 3, 2, 2, 2]),
      y: floats([1, 3, 1, 1, 2]),
    },
  },
  {
    name: 'SoftmaxCrossEntropyLoss with weights and an ignored class, in two outputs',
    type: 'SoftmaxCrossEntropyLoss',
    feeds: { x: floats([2, 4, 3]), t: ints([0, 1, 3, 2, 1, 0], [2, 3]), w: floats([4]) },
    attributes: { ignore_index: 1, reduction: stringAttribute('sum') },
    outputs: 2,
    opset: 13,
  },
  {
    name: 'Einsum of three operands with an ellipsis',
    type: 'Einsum',
    feeds: { a: floats([2, 3, 4]), b: floats([4, 5]), c: floats([2, 5, 2]) },
    attributes: { equation: stringAttribute('...ij,jk,...kl->...il') },
  },
  {
    name: 'Einsum of a diagonal',
    type: 'Einsum',
    feeds: { a: floats([3, 3, 2]), b: floats([2, 4]) },
    attributes: { equation: stringAttribute('iij,jk->ik') },
  },
  {
    name: 'ConvTranspose over space',
    type: 'ConvTranspose',
    feeds: { x: floats([1, 2, 3, 3, 4]), w: floats([2, 3, 2, 3, 2]) },
    attributes: { strides: [2, 1, 2], pads: [0, 1, 0, 1, 1, 0] },
  },
  {
    name: 'ConvTranspose in groups with computed weights',
    type: 'ConvTranspose',
    feeds: { x: floats([1, 4, 3, 3]), w: floats([4, 2, 3, 3]), b: floats([4]) },
    attributes: { group: 2, strides: [2, 2], dilations: [2, 1] },
  },
  ...[0, 1].flatMap((exclusive) =>
    [0, 1].map(
      (reverse): Case => ({
        name: `CumProd, exclusive ${exclusive}, reverse ${reverse}`,
        type: 'CumProd',
        feeds: { x: floats([2, 7, 3]) },
        constants: [1],
        attributes: { exclusive, reverse },
        opset: 26,
      }),
    ),
  ),
  {
    name: 'BatchNormalization in training',
    type: 'BatchNormalization',
    feeds: { x: floats([2, 3, 4, 5]), scale: floats([3]), bias: floats([3]), mean: floats([3]), variance: VARIANCE },
    attributes: { training_mode: 1, momentum: floatAttribute(0.7), epsilon: floatAttribute(0.01) },
    outputs: 3,
  },
  ...['linear', 'cubic', 'nearest'].map(
    (mode): Case => ({
      name: `Resize of a region that reaches outside, ${mode}`,
      type: 'Resize',
      feeds: { x: floats([1, 2, 5, 6]) },
      constants: [[0, 0, -0.3, 0.2, 1, 1, 1.2, 0.9], null, [1, 2, 7, 8]],
      attributes: {
        mode: stringAttribute(mode),
        coordinate_transformation_mode: stringAttribute('tf_crop_and_resize'),
        extrapolation_value: floatAttribute(3.5),
      },
    }),
  ),
  {
    name: 'Conv over space in groups',
    type: 'Conv',
    feeds: { x: floats([1, 4, 4, 4, 4]), w: floats([6, 2, 2, 2, 2]) },
    attributes: { group: 2 },
  },
];

describe('operators on LiteRT', () => {
  it.each(CASES)('$name', async (each) => {
    const difference = await againstOnnxRuntime(modelOf(each), each.feeds);
    expect(difference.samples).toBe(1);
    expect(agrees(difference), JSON.stringify(difference)).toBe(true);
  });
});
