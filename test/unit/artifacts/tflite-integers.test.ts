/** Integer forms of TFLite that are written from made-up graphs: what stands in the file, and LiteRT against ONNX Runtime. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { onnxBytes } from '../../../native-workers/formats/onnx/write.ts';
import { readTfliteFile } from '../../../native-workers/formats/tflite/file.ts';
import { readTflite } from '../../../native-workers/formats/tflite/read.ts';
import { tensorFromNumbers } from '../../../native-workers/graph/tensor-values.ts';
import type { Value } from '../../../native-workers/graph/value.ts';
import { LiteRt } from '../../../native-workers/runtimes/litert.ts';
import { ModelBuilder } from '../../helpers/models.ts';
import { engine, float32 } from '../../helpers/passes.ts';
import { temporaryFolder } from '../../helpers/temp.ts';
import { operatorCounts, runTflite } from '../../helpers/tflite.ts';

const MINUTES = 120_000;
type EightBit = 'uint8' | 'int8';

function constant(
  build: ModelBuilder,
  name: string,
  dtype: EightBit | 'float32',
  values: number[],
  shape: number[],
): Value {
  return build.graph.addInitializer(name, tensorFromNumbers(dtype, values, shape));
}

/** Quantized and dequantized with one scale. */
function rounded(build: ModelBuilder, x: Value, scale: number, zero: number, dtype: EightBit = 'uint8'): Value {
  const [s, z] = [
    constant(build, `${x.name}_scale`, 'float32', [scale], []),
    constant(build, `${x.name}_zero`, dtype, [zero], []),
  ];
  return build.op('DequantizeLinear', [build.op('QuantizeLinear', [x, s, z], `${x.name}_q`), s, z], `${x.name}_dq`);
}

/** An integer weight as its real values. */
function weight(
  build: ModelBuilder,
  name: string,
  shape: number[],
  scales: number[],
  zero: number,
  dtype: EightBit,
): Value {
  const count = shape.reduce((all, size) => all * size, 1);
  const low = dtype === 'uint8' ? 0 : -127;
  const codes = Array.from({ length: count }, (_, at) => low + ((at * 97 + 31) % 254));
  const many = scales.length > 1 ? [scales.length] : [];
  const inputs = [
    constant(build, `${name}_codes`, dtype, codes, shape),
    constant(build, `${name}_scales`, 'float32', scales, many),
    constant(
      build,
      `${name}_zeros`,
      dtype,
      scales.map(() => zero),
      many,
    ),
  ];
  return build.op('DequantizeLinear', inputs, name, { axis: 0 });
}

describe('weights with a zero point', () => {
  it(
    'are written for the kernels of uint8, and give the steps of ONNX Runtime',
    async () => {
      const build = new ModelBuilder('legacy');
      const x = rounded(build, build.input('x', [1, 4, 12, 12]), 0.02, 120);
      const first = build.op('Conv', [x, weight(build, 'w1', [8, 4, 3, 3], [0.004], 131, 'uint8')], 'c1', {
        pads: [1, 1, 1, 1],
      });
      const deep = build.op(
        'Conv',
        [rounded(build, first, 0.05, 128), weight(build, 'w2', [8, 1, 3, 3], [0.006], 117, 'uint8')],
        'c2',
        {
          group: 8,
          pads: [1, 1, 1, 1],
        },
      );
      const model = build.outputs(rounded(build, deep, 0.08, 125)).model();
      const { verified, path } = await runTflite(model, temporaryFolder(), {}, 4);
      expect(verified).toMatchObject({ status: 'passed', errors: [] });
      expect(verified.steps?.max ?? 99).toBeLessThanOrEqual(1);
      const { main: file } = readTfliteFile(path);
      expect(file.operators.map(({ type }) => type).filter((type) => type !== 'TRANSPOSE')).toEqual([
        'QUANTIZE',
        'CONV_2D',
        'DEPTHWISE_CONV_2D',
        'DEQUANTIZE',
      ]);
      const filters = file.operators.flatMap(({ type, inputs }) =>
        type.endsWith('CONV_2D') ? [file.tensors[inputs[1] ?? 0]] : [],
      );
      expect(
        filters.map((filter) => [filter?.dtype, filter?.quantization?.zeroPoints, filter?.quantization?.axis]),
      ).toEqual([
        ['uint8', [131], 0],
        ['uint8', [117], 0],
      ]);
    },
    MINUTES,
  );
});

describe('scales of channels', () => {
  it(
    'stand on the axis that the channels have in the file',
    async () => {
      const build = new ModelBuilder('channels');
      const scales = Array.from({ length: 4 }, (_, at) => 0.002 + at / 1000);
      const x = rounded(build, build.input('x', [1, 4, 8, 8]), 0.02, -3, 'int8');
      const dense = build.op('Conv', [x, weight(build, 'w1', [4, 4, 1, 1], scales, 0, 'int8')], 'c1');
      const deep = build.op(
        'Conv',
        [rounded(build, dense, 0.05, 5, 'int8'), weight(build, 'w2', [4, 1, 3, 3], scales, 0, 'int8')],
        'c2',
        {
          group: 4,
        },
      );
      const { verified, path } = await runTflite(
        build.outputs(rounded(build, deep, 0.05, 1, 'int8')).model(),
        temporaryFolder(),
        {},
        4,
      );
      expect(verified).toMatchObject({ status: 'passed', errors: [] });
      const { main: file } = readTfliteFile(path);
      const axes = file.operators.flatMap(({ type, inputs }) =>
        type.endsWith('CONV_2D') ? [[type, file.tensors[inputs[1] ?? 0]?.quantization?.axis]] : [],
      );
      expect(axes).toEqual([
        ['CONV_2D', 0],
        ['DEPTHWISE_CONV_2D', 3],
      ]);
    },
    MINUTES,
  );
});

describe('operators that keep their scale', () => {
  it(
    'get a QUANTIZE where the scales of the graph differ, sums a scale of their own, and no way leads through floats',
    async () => {
      const build = new ModelBuilder('scales');
      const [a, b] = [build.input('a', [1, 4, 8, 8]), build.input('b', [1, 4, 8, 8])];
      const joined = build.op('Concat', [rounded(build, a, 0.03, 100), rounded(build, b, 0.02, 140)], 'joined', {
        axis: 1,
      });
      const pooled = build.op('AveragePool', [rounded(build, joined, 0.03, 100)], 'pooled', {
        kernel_shape: [2, 2],
        strides: [2, 2],
      });
      const mean = build.op('ReduceMean', [rounded(build, pooled, 0.025, 110)], 'mean', { axes: [2, 3], keepdims: 0 });
      const { verified, path } = await runTflite(
        build.outputs(rounded(build, mean, 0.01, 128)).model(),
        temporaryFolder(),
        {},
        4,
      );
      expect(verified).toMatchObject({ status: 'passed', errors: [] });
      const counts = operatorCounts(readFileSync(path));
      // Two inputs, one part of the join; the pool and the mean have their own scales.
      expect(counts).toMatchObject({ QUANTIZE: 3, DEQUANTIZE: 1, CONCATENATION: 1, DEPTHWISE_CONV_2D: 1, MEAN: 1 });
    },
    MINUTES,
  );
});

describe('weights of 4 bits by channel', () => {
  it(
    'are INT4 in the file, and LiteRT computes what ONNX Runtime does with the same ones',
    async () => {
      const build = new ModelBuilder('int4');
      const y = build.op('MatMul', [build.input('x', [4, 128]), build.weight('w', [128, 64])], 'y');
      const { path, verified } = await runTflite(build.outputs(y).model(), temporaryFolder(), {
        precision: 'dynamic-int4',
      });
      expect(verified).toMatchObject({ status: 'passed', errors: [] });
      const { main: file } = readTfliteFile(path);
      const weights = file.tensors[file.operators[0]?.inputs[1] ?? 0];
      expect([weights?.dtype, weights?.data?.byteLength, weights?.quantization?.scales.length]).toEqual([
        'int4',
        4096,
        64,
      ]);
      const feeds = {
        x: float32(
          [4, 128],
          Array.from({ length: 512 }, (_, at) => Math.sin(at)),
        ),
      };
      const session = await engine.open(onnxBytes(readTflite(path)));
      const expected = Array.from((await session.run(feeds))['y']?.data ?? [], Number);
      await session.release();
      const lite = await (await LiteRt.create()).open(readFileSync(join(path)));
      const actual = Array.from((await lite.run(feeds))['y']?.data ?? [], Number);
      lite.release();
      expect(actual).toHaveLength(256);
      const largest = Math.max(...expected.map(Math.abs));
      // The runtime quantizes each row of activations to 8 bits.
      const worst = Math.max(...actual.map((value, at) => Math.abs(value - (expected[at] ?? 0))));
      expect(worst / largest).toBeLessThan(0.02);
      expect(worst).toBeGreaterThan(0);
    },
    MINUTES,
  );
});
