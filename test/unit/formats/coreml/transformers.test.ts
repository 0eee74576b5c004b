/** Trained transformers with weights of 4 bits, and as ONNX Runtime's optimizer fuses them, as packages. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readOnnx } from '../../../../native-workers/formats/onnx/read.ts';
import type { Feeds } from '../../../../native-workers/lib/engine.ts';
import { openEngine } from '../../../../native-workers/runtimes/onnxruntime.ts';
import { differenceOf } from '../../../helpers/coreml.ts';
import { toMatMulNBits } from '../../../helpers/four-bit.ts';
import { hasShared, SHARED } from '../../../helpers/shared.ts';
import { temporaryFolder } from '../../../helpers/temp.ts';

const engine = await openEngine();
const LENGTH = 12;
const FLOAT32 = { precision: 'float32', target: 'iOS18' } as const;
const source = (name: string): string => join(SHARED, 'models', name, 'model.onnx');

function tokens(): Feeds {
  const ids = BigInt64Array.from({ length: LENGTH }, (_, at) => BigInt((at * 37 + 5) % 900));
  return { input_ids: { dtype: 'int64', shape: [1, LENGTH], data: ids } };
}

function masked(): Feeds {
  const mask = BigInt64Array.from({ length: LENGTH }, (_, at) => (at < LENGTH - 3 ? 1n : 0n));
  return { ...tokens(), attention_mask: { dtype: 'int64', shape: [1, LENGTH], data: mask } };
}

describe.skipIf(!hasShared)('a trained language model', () => {
  it.each([
    [32, false, 'int4'],
    [64, true, 'uint4'],
  ] as const)('with weights of 4 bits in blocks of %i, zero points %s, keeps them so', async (block, zeros, dtype) => {
    const model = readOnnx(source('tiny-llama'));
    const count = toMatMulNBits(model, block, zeros);
    expect(count).toBeGreaterThan(40);
    const { largest, package: made } = await differenceOf(engine, model, tokens(), FLOAT32);
    // ONNX Runtime's own sums of 4 bits are not those of a float product.
    expect(largest).toBeLessThan(2e-4);
    const weights = made.main.operations.filter(({ type }) => type === 'constexpr_blockwise_shift_scale');
    expect(weights).toHaveLength(count);
    expect(weights[0]?.inputs.get('data')?.[0]?.type.dtype).toBe(dtype);
    expect(weights[0]?.inputs.has('offset')).toBe(zeros);
  });

  it.each([
    ['tiny-llama', 6, tokens()],
    ['langid-bert', 4, masked()],
  ] as const)('%s that ONNX Runtime fused has %i attentions still', async (name, layers, feeds) => {
    const path = join(temporaryFolder(), 'fused.onnx');
    const session = await engine.open(source(name), { optimization: 'extended', optimizedModelPath: path });
    await session.release();
    const model = readOnnx(path);
    const fused = [...model.graph.nodes].filter(({ domain }) => domain === 'com.microsoft');
    expect(fused.length).toBeGreaterThan(8);
    const { largest, package: made } = await differenceOf(engine, model, feeds, FLOAT32);
    expect(largest).toBeLessThan(2e-5);
    const attentions = made.main.operations.filter(({ type }) => type === 'scaled_dot_product_attention');
    expect(attentions).toHaveLength(layers);
  });
});
