/** Operators on integers taken apart: the engine gives the same before and after, to one step of the output. */
import { describe, expect, it } from 'vitest';
import { onnxBytes } from '../../../native-workers/formats/onnx/write.ts';
import { floatAttribute } from '../../../native-workers/graph/attribute.ts';
import { cloneModel } from '../../../native-workers/graph/clone.ts';
import type { DType } from '../../../native-workers/graph/dtype.ts';
import type { Model } from '../../../native-workers/graph/model.ts';
import { separateQuantization } from '../../../native-workers/graph/separate-quantization.ts';
import { tensorFromHost, tensorFromNumbers, toNumbers } from '../../../native-workers/graph/tensor-values.ts';
import { tensorType } from '../../../native-workers/graph/types.ts';
import { validate } from '../../../native-workers/graph/validate.ts';
import type { Value } from '../../../native-workers/graph/value.ts';
import { openEngine } from '../../../native-workers/runtimes/onnxruntime.ts';
import { ModelBuilder } from '../../helpers/models.ts';

const engine = await openEngine();
const SHAPE = [1, 2, 4, 4];
const X = { dtype: 'uint8', shape: SHAPE, data: Uint8Array.from({ length: 32 }, (_, at) => (at * 37) % 256) } as const;

async function run(model: Model): Promise<number[]> {
  const session = await engine.open(onnxBytes(cloneModel(model).model));
  const { y } = await session.run({ x: X });
  await session.release();
  return y === undefined ? [] : toNumbers(tensorFromHost(y));
}

interface Case {
  readonly name: string;
  readonly opset: number;
  readonly output: DType;
  readonly build: (build: ModelBuilder, constant: (dtype: DType, values: number[], shape?: number[]) => Value) => Value;
}

const CONV: Case['build'] = (build, constant) => {
  const filter = Array.from({ length: 54 }, (_, at) => ((at * 29) % 200) - 100);
  const operands = [
    build.input('x', SHAPE, 'uint8'),
    constant('float32', [0.02]),
    constant('uint8', [120]),
    constant('int8', filter, [3, 2, 3, 3]),
    constant('float32', [0.01, 0.02, 0.005], [3]),
    constant('int8', [0, 0, 0], [3]),
    constant('float32', [0.3]),
    constant('uint8', [100]),
    constant('int32', [500, -200, 30], [3]),
  ];
  return build.op('QLinearConv', operands, 'y', { pads: [1, 1, 1, 1] });
};

const binary =
  (type: string): Case['build'] =>
  (build, constant) => {
    const x = build.input('x', SHAPE, 'uint8');
    const scaled = (scale: number, zero: number): Value[] => [constant('float32', [scale]), constant('uint8', [zero])];
    return build.op(
      type,
      [x, ...scaled(0.1, 3), x, ...scaled(0.05, 200), ...scaled(0.2, 90)],
      'y',
      {},
      'com.microsoft',
    );
  };

const GEMM_WEIGHTS = Array.from({ length: 96 }, (_, at) => ((at * 29) % 200) - 100);

/** x as [1, 32], times weights of [3, 32] or [32, 3]. */
const gemm =
  (isTransposed: boolean, isFloat: boolean): Case['build'] =>
  (build, constant) => {
    const flat = build.op('Flatten', [build.input('x', SHAPE, 'uint8')], 'flat');
    const operands = [
      flat,
      constant('float32', [0.02]),
      constant('uint8', [120]),
      constant('int8', GEMM_WEIGHTS, isTransposed ? [3, 32] : [32, 3]),
      constant('float32', [0.01, 0.02, 0.005], [3]),
      constant('int8', [0, 0, 0], [3]),
      constant('int32', [500, -200, 30], [3]),
      ...(isFloat ? [] : [constant('float32', [0.3]), constant('uint8', [100])]),
    ];
    const attributes = { transB: isTransposed ? 1 : 0, alpha: floatAttribute(0.5) };
    return build.op('QGemm', operands, 'y', attributes, 'com.microsoft');
  };

const CASES: readonly Case[] = [
  { name: 'QGemm', opset: 13, output: 'uint8', build: gemm(false, false) },
  { name: 'QGemm with a float output', opset: 13, output: 'float32', build: gemm(true, true) },
  {
    name: 'QLinearSoftmax',
    opset: 13,
    output: 'uint8',
    build: (build, constant) => {
      const operands = [
        build.input('x', SHAPE, 'uint8'),
        constant('float32', [0.02]),
        constant('uint8', [120]),
        constant('float32', [1 / 256]),
        constant('uint8', [0]),
      ];
      return build.op('QLinearSoftmax', operands, 'y', { axis: 2, opset: 13 }, 'com.microsoft');
    },
  },
  {
    name: 'DynamicQuantizeMatMul',
    opset: 13,
    output: 'float32',
    build: (build, constant) => {
      const x = build.op('Cast', [build.input('x', SHAPE, 'uint8')], 'real', { to: 1 });
      const weights = constant('int8', GEMM_WEIGHTS.slice(0, 12), [4, 3]);
      const operands = [
        x,
        weights,
        constant('float32', [0.01, 0.02, 0.005], [3]),
        constant('int8', [3, -4, 0], [3]),
        constant('float32', [1, 2, 3], [3]),
      ];
      return build.op('DynamicQuantizeMatMul', operands, 'y', {}, 'com.microsoft');
    },
  },
  {
    name: 'MatMulIntegerToFloat',
    opset: 13,
    output: 'float32',
    build: (build, constant) => {
      const operands = [
        build.input('x', SHAPE, 'uint8'),
        constant('int8', GEMM_WEIGHTS.slice(0, 12), [4, 3]),
        constant('float32', [0.1]),
        constant('float32', [0.01, 0.02, 0.005], [3]),
        constant('uint8', [120]),
        constant('int8', [0, 0, 0], [3]),
        constant('float32', [1, 2, 3], [3]),
      ];
      return build.op('MatMulIntegerToFloat', operands, 'y', {}, 'com.microsoft');
    },
  },
  { name: 'QLinearConv with scales per channel and a bias', opset: 13, output: 'uint8', build: CONV },
  { name: 'QLinearConv before there were axes', opset: 10, output: 'uint8', build: CONV },
  { name: 'QLinearAdd', opset: 13, output: 'uint8', build: binary('QLinearAdd') },
  { name: 'QLinearMul', opset: 13, output: 'uint8', build: binary('QLinearMul') },
  {
    name: 'MatMulInteger with zero points',
    opset: 13,
    output: 'int32',
    build: (build, constant) =>
      build.op(
        'MatMulInteger',
        [
          build.input('x', SHAPE, 'uint8'),
          constant(
            'int8',
            Array.from({ length: 12 }, (_, at) => 9 * at - 50),
            [4, 3],
          ),
          constant('uint8', [7]),
          constant('int8', [1, -2, 3], [3]),
        ],
        'y',
      ),
  },
];

describe('separateQuantization', () => {
  it.each(CASES)('$name', async ({ opset, output, build: make }) => {
    const build = new ModelBuilder();
    let number = 0;
    const constant = (dtype: DType, values: number[], shape: number[] = []): Value =>
      build.graph.addInitializer(`c${number++}`, tensorFromNumbers(dtype, values, shape));
    const y = make(build, constant);
    y.type = tensorType(output, null);
    const model = build.outputs(y).model(opset);
    if (y.producer?.domain === 'com.microsoft') model.opsets.set('com.microsoft', 1);
    const before = await run(model);
    expect(separateQuantization(model)).toBe(1);
    validate(model);
    const after = await run(model);
    expect(new Set(before).size).toBeGreaterThan(2);
    expect(after).toHaveLength(before.length);
    expect(Math.max(...before.map((value, at) => Math.abs(value - (after[at] ?? 999))))).toBeLessThanOrEqual(
      { int32: 0, uint8: 1, float32: 1e-4 }[output as 'int32'],
    );
    expect([...model.graph.nodes].some(({ opType }) => /QLinear|QGemm|Integer|DynamicQuantize/.test(opType))).toBe(
      false,
    );
  });

  it('leaves other models as they are', () => {
    const build = new ModelBuilder();
    const model = build.outputs(build.op('Relu', [build.input('x', [2])], 'y')).model();
    expect(separateQuantization(model)).toBe(0);
  });
});
