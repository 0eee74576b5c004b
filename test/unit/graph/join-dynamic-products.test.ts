/** Products that are quantized at run time, joined: the engine computes the same of its own operator for them. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { onnxBytes } from '../../../native-workers/formats/onnx/write.ts';
import { cloneModel } from '../../../native-workers/graph/clone.ts';
import { joinDynamicProducts } from '../../../native-workers/graph/join-dynamic-products.ts';
import type { Model } from '../../../native-workers/graph/model.ts';
import { tensorFromNumbers } from '../../../native-workers/graph/tensor-values.ts';
import { validate } from '../../../native-workers/graph/validate.ts';
import type { Value } from '../../../native-workers/graph/value.ts';
import { ModelBuilder } from '../../helpers/models.ts';
import { engine, float32 } from '../../helpers/passes.ts';
import { temporaryFolder } from '../../helpers/temp.ts';
import { operatorCounts, runTflite } from '../../helpers/tflite.ts';

const [ROWS, WIDTH, COLUMNS] = [5, 8, 6];
const CODES = Array.from({ length: WIDTH * COLUMNS }, (_, at) => ((at * 37) % 255) - 127);
const SCALES = Array.from({ length: COLUMNS }, (_, at) => 0.004 + at / 1000);

/** Two products of one quantized input, as quantizing tools write them: one with its own constant added, and their sum. */
function written(zeros: readonly number[] | null = null): Model {
  const build = new ModelBuilder();
  const constant = (
    name: string,
    dtype: 'int8' | 'float32',
    values: readonly number[],
    shape: readonly number[],
  ): Value => build.graph.addInitializer(name, tensorFromNumbers(dtype, values, shape));
  const x = build.input('x', [ROWS, WIDTH]);
  const codes = build.op('DynamicQuantizeLinear', [x], 'codes');
  const [scale, zero] = ['scale', 'zero'].map((name, at) => {
    const value = build.graph.createValue(name);
    codes.producer?.setOutput(at + 1, value);
    return value;
  }) as [Value, Value];
  const product = (name: string): Value => {
    const operands = [codes, constant(`${name}_w`, 'int8', CODES, [WIDTH, COLUMNS]), zero];
    if (zeros !== null) operands.push(constant(`${name}_z`, 'int8', zeros, [COLUMNS]));
    const whole = build.op('MatMulInteger', operands, `${name}_i`);
    const scales = build.op('Mul', [scale, constant(`${name}_s`, 'float32', SCALES, [COLUMNS])], `${name}_scales`);
    return build.op('Mul', [build.op('Cast', [whole], `${name}_f`, { to: 1 }), scales], name);
  };
  const bias = constant('bias', 'float32', SCALES, [COLUMNS]);
  const y = build.op('Add', [build.op('Add', [product('a'), bias], 'biased'), product('b')], 'y');
  return build.outputs(y).model();
}

const feeds = {
  x: float32(
    [ROWS, WIDTH],
    Array.from({ length: ROWS * WIDTH }, (_, at) => Math.sin(at) * (1 + (at % 3))),
  ),
};

async function run(model: Model): Promise<number[]> {
  const session = await engine.open(onnxBytes(cloneModel(model).model));
  const { y } = await session.run(feeds);
  await session.release();
  return Array.from(y?.data ?? [], Number);
}

describe('joinDynamicProducts', () => {
  it('makes one operator of each product, and nothing is left of the parts', async () => {
    const model = written();
    const before = await run(model);
    expect(joinDynamicProducts(model)).toBe(2);
    validate(model);
    expect([...model.graph.nodes].map(({ opType }) => opType).sort()).toEqual([
      'Add',
      'Add',
      'DynamicQuantizeMatMul',
      'DynamicQuantizeMatMul',
    ]);
    const after = await run(model);
    expect(Math.max(...before.map((value, at) => Math.abs(value - (after[at] ?? 9))))).toBeLessThan(1e-5);
  });

  it('leaves weights that are not around zero', () => {
    expect(joinDynamicProducts(written([0, 0, 1, 0, 0, 0]))).toBe(0);
    expect(joinDynamicProducts(written([0, 0, 0, 0, 0, 0]))).toBe(2);
  });

  it('leaves a product whose integers are an output', () => {
    const model = written();
    const whole = [...model.graph.values()].find(({ name }) => name === 'a_i') as Value;
    model.graph.outputs.push(whole);
    expect(joinDynamicProducts(model)).toBe(1);
  });

  it('is a product of floats and 8-bit weights in TFLite, which quantizes by itself', async () => {
    const { verified, path } = await runTflite(written(), temporaryFolder(), {}, 1, [feeds]);
    expect(verified).toMatchObject({ status: 'passed', errors: [] });
    const counts = operatorCounts(readFileSync(path));
    expect(counts).toMatchObject({ FULLY_CONNECTED: 2 });
    expect(counts).not.toHaveProperty('DEQUANTIZE');
    expect(counts).not.toHaveProperty('ROUND');
  });
});
