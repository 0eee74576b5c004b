/** Quantized operators whose output has another scale than their input, on LiteRT against the kernels of ONNX Runtime. */
import { describe, expect, it } from 'vitest';
import { type Attribute, stringAttribute } from '../../../../../native-workers/graph/attribute.ts';
import { tensorFromNumbers } from '../../../../../native-workers/graph/tensor-values.ts';
import { tensorType } from '../../../../../native-workers/graph/types.ts';
import type { Value } from '../../../../../native-workers/graph/value.ts';
import { Random } from '../../../../../native-workers/lib/random.ts';
import { ModelBuilder } from '../../../../helpers/models.ts';
import { againstOnnxRuntime, converted } from '../../../../helpers/tflite-lowering.ts';

const SHAPE = [2, 16, 12, 12];
const INPUT = { scale: 0.0174, zero: 3 };

interface Case {
  readonly name: string;
  readonly type: string;
  readonly attributes?: Readonly<Record<string, Attribute | number | readonly number[]>>;
  /** Sizes of the output, for Resize. */
  readonly sizes?: readonly number[];
  /** Builtins that compute it, between the QUANTIZE of the input and the output's codes. */
  readonly builtins: readonly string[];
}

const CASES: readonly Case[] = [
  { name: 'an average of all', type: 'GlobalAveragePool', builtins: ['MEAN'] },
  {
    name: 'a window over all',
    type: 'AveragePool',
    attributes: { kernel_shape: [12, 12] },
    builtins: ['MEAN'],
  },
  {
    name: 'windows beside each other',
    type: 'AveragePool',
    attributes: { kernel_shape: [2, 2], strides: [2, 2] },
    builtins: ['DEPTHWISE_CONV_2D'],
  },
  {
    name: 'overlapping windows',
    type: 'AveragePool',
    attributes: { kernel_shape: [3, 3], strides: [1, 1] },
    builtins: ['DEPTHWISE_CONV_2D'],
  },
  {
    name: 'windows with their padding',
    type: 'AveragePool',
    attributes: { kernel_shape: [3, 3], pads: [1, 1, 1, 1], count_include_pad: 1 },
    builtins: ['DEPTHWISE_CONV_2D'],
  },
  {
    name: 'windows without their padding',
    type: 'AveragePool',
    attributes: { kernel_shape: [3, 3], pads: [1, 1, 1, 1] },
    builtins: ['DEQUANTIZE', 'AVERAGE_POOL_2D', 'QUANTIZE'],
  },
  {
    name: 'a larger picture',
    type: 'Resize',
    sizes: [2, 16, 24, 24],
    attributes: { mode: stringAttribute('linear') },
    builtins: ['DEQUANTIZE', 'RESIZE_BILINEAR', 'QUANTIZE'],
  },
];

/** Of no simple ratio to the input's, so that no average lies in the middle between two codes. */
describe.each([0.0083137, 0.0311713])('codes of scale 0.0174 into codes of %f', (scale) => {
  it.each(CASES)('$name is rounded once', async ({ type, attributes = {}, sizes, builtins }) => {
    const build = new ModelBuilder();
    const pair = (value: Value, name: string, step: number, zero: number): [Value, Value] => {
      const parameters = [
        build.graph.addInitializer(`${name}_scale`, tensorFromNumbers('float32', [step], [])),
        build.graph.addInitializer(`${name}_zero`, tensorFromNumbers('uint8', [zero], [])),
      ];
      const codes = build.op('QuantizeLinear', [value, ...parameters], `${name}_codes`);
      return [codes, build.op('DequantizeLinear', [codes, ...parameters], `${name}_real`)];
    };
    const [, x] = pair(build.input('x', SHAPE), 'x', INPUT.scale, INPUT.zero);
    const operands =
      sizes === undefined
        ? []
        : [null, null, build.graph.addInitializer('sizes', tensorFromNumbers('int64', sizes, [4]))];
    const [codes] = pair(build.op(type, [x, ...operands], 'y', attributes), 'y', scale, 7);
    codes.type = tensorType('uint8', null);
    const model = build.outputs(codes).model(19, 9);

    const { graph } = await converted(model);
    const made =
      graph?.operators.map(({ code }) => code).filter((code) => code !== 'TRANSPOSE' && code !== 'RESHAPE') ?? [];
    expect(made).toEqual(['QUANTIZE', ...builtins, 'QUANTIZE']);

    const random = new Random(5);
    const data = Float32Array.from(
      { length: SHAPE.reduce((all, dim) => all * dim) },
      () => random.float() * 4.4 - 0.05,
    );
    const { steps } = await againstOnnxRuntime(model, { x: { dtype: 'float32', shape: SHAPE, data } });
    expect(steps).toEqual({ max: 0, withinOne: 1 });
  });
});
