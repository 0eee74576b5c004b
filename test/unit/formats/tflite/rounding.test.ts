/** Quantized operators of a TFLite file, opened as ONNX, round as LiteRT's kernels: every pair of codes, drawn scales. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { onnxBytes } from '../../../../native-workers/formats/onnx/write.ts';
import type { Options, TflOperator, TflTensor } from '../../../../native-workers/formats/tflite/ir.ts';
import { addScales } from '../../../../native-workers/formats/tflite/raise/rounding.ts';
import { readTflite } from '../../../../native-workers/formats/tflite/read.ts';
import { writeTflite } from '../../../../native-workers/formats/tflite/write.ts';
import { elementCount } from '../../../../native-workers/graph/dtype.ts';
import { tensorFromNumbers, toHostTensor } from '../../../../native-workers/graph/tensor-values.ts';
import { Random } from '../../../../native-workers/lib/random.ts';
import { LiteRt } from '../../../../native-workers/runtimes/litert.ts';
import { engine } from '../../../helpers/passes.ts';
import { temporaryFolder } from '../../../helpers/temp.ts';

type EightBit = 'int8' | 'uint8';

function codes(name: string, shape: readonly number[], dtype: EightBit, scale: number, zeroPoint: number): TflTensor {
  const quantization = { scales: [Math.fround(scale)], zeroPoints: [zeroPoint], axis: 0 };
  return { name, shape, dtype, constant: null, quantization, signature: null };
}

function int32s(name: string, values: readonly number[]): TflTensor {
  const constant = tensorFromNumbers('int32', values, [values.length]);
  return { name, shape: [values.length], dtype: 'int32', constant, quantization: null, signature: null };
}

/** How many elements LiteRT and ONNX Runtime give differently, and the most steps between two. */
async function compare(
  litert: LiteRt,
  inputs: readonly (readonly [TflTensor, ArrayLike<number>])[],
  operator: TflOperator,
): Promise<{ differing: number; most: number; total: number }> {
  const path = join(temporaryFolder(), 'model.tflite');
  const value = (tensor: TflTensor) => ({ source: tensor.name, name: tensor.name, tensor });
  writeTflite(
    { inputs: inputs.map(([tensor]) => value(tensor)), outputs: operator.outputs.map(value), operators: [operator] },
    path,
  );
  const feeds = Object.fromEntries(
    inputs.map(([tensor, values]) => [
      tensor.name,
      toHostTensor(tensorFromNumbers(tensor.dtype, values, tensor.shape)),
    ]),
  );
  const lite = await litert.open(readFileSync(path));
  const session = await engine.open(onnxBytes(readTflite(path)), { threads: 1 });
  const [expected, actual] = [await lite.run(feeds), await session.run(feeds)];
  lite.release();
  await session.release();
  const name = operator.outputs[0]?.name ?? '';
  const [a, b] = [Array.from(expected[name]?.data as Int8Array), Array.from(actual[name]?.data as Int8Array)];
  const distances = a.map((each, index) => Math.abs(each - (b[index] ?? Number.NaN)));
  expect(b).toHaveLength(a.length);
  return { differing: distances.filter((each) => each !== 0).length, most: Math.max(...distances), total: a.length };
}

const DTYPES = ['int8', 'uint8'] as const;
const lowest = (dtype: EightBit): number => (dtype === 'int8' ? -128 : 0);

describe('scales of a sum', () => {
  it('keep frequent sums of small codes on LiteRT’s side of the middle', () => {
    // The fourth sum of tf2_mobilenet_v2: -10 and 4 give -6.5000019 in XNNPACK's integers, and -7, where floats gave -6.
    const output = Math.fround(0.18754954636096954);
    const [a, b] = addScales(Math.fround(0.18986915051937103), Math.fround(0.1699049174785614), output);
    expect(Math.fround(a / output) * -10 + Math.fround(b / output) * 4).toBeLessThan(-6.50001);
    expect(Math.abs(a / 0.18986915051937103 - 1)).toBeLessThan(1e-5);
    expect(Math.abs(b / 0.1699049174785614 - 1)).toBeLessThan(1e-5);
  });

  it('stay where a ratio is beyond what XNNPACK takes', () => {
    expect(addScales(1, 1e-4, 1)).toEqual([1, 1e-4]);
  });
});

describe('a quantized operator of a TFLite file, opened as ONNX', () => {
  let litert: LiteRt;
  const random = new Random(3);
  beforeAll(async () => {
    litert = await LiteRt.create();
  });
  const between = (low: number, high: number): number => low + random.float() * (high - low);
  const anyCode = (dtype: EightBit): number => random.below(256) + lowest(dtype);
  const anyCodes = ({ shape, dtype }: TflTensor): number[] =>
    Array.from({ length: elementCount(shape) }, () => anyCode(dtype as EightBit));

  it.each(DTYPES)('ADD and SUB of %s give the sums of LiteRT', async (dtype) => {
    const low = lowest(dtype);
    const shape = [1, 256, 256, 1];
    const every = Array.from({ length: 256 * 256 }, (_, at) => low + (at % 256));
    const eachTimes256 = every.map((_, at) => low + (at >> 8));
    let [differing, total] = [0, 0];
    for (let round = 0; round < 24; round++) {
      const output = between(0.01, 0.3);
      const a = codes('a', shape, dtype, output * between(0.05, 1.5), anyCode(dtype));
      const b = codes('b', shape, dtype, output * between(0.05, 1.5), anyCode(dtype));
      const y = codes('y', shape, dtype, output, anyCode(dtype));
      const code = round % 2 === 0 ? 'ADD' : 'SUB';
      const operator = { code, inputs: [a, b], outputs: [y], options: { fused_activation_function: 0 }, source: '' };
      const pairs = [
        [a, every],
        [b, eachTimes256],
      ] as const;
      const result = await compare(litert, pairs, operator as TflOperator);
      expect(result.most).toBeLessThanOrEqual(1);
      differing += result.differing;
      total += result.total;
    }
    // Of all pairs of codes, a few lie nearer to the middle of two steps than float32 can say: 3e-6, without `addScales` 1e-5.
    expect(differing / total).toBeLessThan(6e-6);
  });

  /** Operators whose output keeps the parameters of its input: what they are, the output's shape, the operator. */
  const kept: readonly (readonly [string, readonly number[], (x: TflTensor, y: TflTensor) => TflOperator])[] = [
    ['AVERAGE_POOL_2D over 2', [1, 7, 7, 32], averagePool(2, 1)],
    ['AVERAGE_POOL_2D over 3', [1, 6, 6, 32], averagePool(3, 1)],
    ['AVERAGE_POOL_2D over 8', [1, 1, 1, 32], averagePool(8, 1)],
    ['AVERAGE_POOL_2D with cut windows', [1, 8, 8, 32], averagePool(3, 0)],
    ['MEAN', [1, 1, 1, 32], withNumbers('MEAN', [1, 2], { keep_dims: true })],
    ['MEAN without its axes', [1, 32], withNumbers('MEAN', [1, 2], { keep_dims: false })],
    ['RESIZE_BILINEAR', [1, 16, 16, 32], withNumbers('RESIZE_BILINEAR', [16, 16], { half_pixel_centers: false })],
    [
      'RESIZE_BILINEAR by centres',
      [1, 16, 16, 32],
      withNumbers('RESIZE_BILINEAR', [16, 16], { half_pixel_centers: true }),
    ],
  ];
  describe.each(DTYPES)('%s', (dtype) => {
    it.each(kept)('%s rounds as on LiteRT', async (_, shape, operatorOf) => {
      for (let round = 0; round < 8; round++) {
        const [scale, zeroPoint] = [between(0.005, 0.05), anyCode(dtype)];
        const x = codes('x', [1, 8, 8, 32], dtype, scale, zeroPoint);
        const result = await compare(
          litert,
          [[x, anyCodes(x)]],
          operatorOf(x, codes('y', shape, dtype, scale, zeroPoint)),
        );
        expect(result.differing).toBe(0);
      }
    });

    it.each(['QUANTIZE', 'LEAKY_RELU'] as const)('%s multiplies by 256ths as LiteRT does', async (code) => {
      let [differing, total] = [0, 0];
      for (let round = 0; round < 16; round++) {
        const x = codes('x', [1, 8, 8, 32], dtype, between(0.005, 0.05), anyCode(dtype));
        const y = codes('y', [1, 8, 8, 32], dtype, between(0.005, 0.05), anyCode(dtype));
        const operator = {
          code,
          inputs: [x],
          outputs: [y],
          options: code === 'QUANTIZE' ? {} : { alpha: 0.1 },
          source: '',
        };
        const result = await compare(litert, [[x, anyCodes(x)]], operator);
        expect(result.most).toBeLessThanOrEqual(1);
        differing += result.differing;
        total += result.total;
      }
      // Products of 256ths lie in the middle of two steps now and then: LiteRT rounds them up, floats to even.
      expect(differing / total).toBeLessThan(0.015);
    });
  });
});

function averagePool(size: number, padding: number): (x: TflTensor, y: TflTensor) => TflOperator {
  const window = { filter_width: size, filter_height: size, stride_w: 1, stride_h: 1 };
  const options = { ...window, padding, fused_activation_function: 0 };
  return (x, y) => ({ code: 'AVERAGE_POOL_2D', inputs: [x], outputs: [y], options, source: '' });
}

function withNumbers(
  code: 'MEAN' | 'RESIZE_BILINEAR',
  values: readonly number[],
  options: Options,
): (x: TflTensor, y: TflTensor) => TflOperator {
  return (x, y) => ({ code, inputs: [x, int32s('numbers', values)], outputs: [y], options, source: '' });
}
