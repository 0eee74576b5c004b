import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { DType } from '../../../native-workers/graph/dtype.ts';
import { tensorType } from '../../../native-workers/graph/types.ts';
import type { HostTensor } from '../../../native-workers/lib/engine.ts';
import { openEngine } from '../../../native-workers/runtimes/onnxruntime.ts';
import { type TinyModel, tinyOnnx } from '../../helpers/tiny-onnx.ts';

const engine = await openEngine();
const folder = mkdtempSync(join(tmpdir(), 'hone-runtime-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function identity(code: number): Uint8Array {
  return tinyOnnx({
    nodes: [{ type: 'Identity', inputs: ['x'], outputs: ['y'] }],
    inputs: [{ name: 'x', code, shape: ['n'] }],
    outputs: [{ name: 'y', code, shape: ['n'] }],
  });
}

const add: TinyModel = {
  nodes: [
    { type: 'Relu', inputs: ['x'], outputs: ['r'], name: 'first' },
    { type: 'Add', inputs: ['r', 'w'], outputs: ['y'], name: 'second' },
  ],
  weights: [{ name: 'w', shape: [2], data: Float32Array.of(10, 20) }],
  inputs: [{ name: 'x', shape: ['batch', 2] }],
  outputs: [{ name: 'y', shape: ['batch', 2] }],
};

const f32 = (shape: number[], ...data: number[]): HostTensor => ({
  dtype: 'float32',
  shape,
  data: Float32Array.from(data),
});

describe('openEngine', () => {
  it('says which runtime it is', () => {
    expect(engine.name).toBe('ONNX Runtime');
    expect(engine.version).toMatch(/^\d+\.\d+\.\d+/);
  });

  const carried: [DType, number, HostTensor['data']][] = [
    ['float32', 1, Float32Array.of(1.5, -2, 3)],
    ['uint8', 2, Uint8Array.of(1, 2, 255)],
    ['int8', 3, Int8Array.of(1, -2, 3)],
    ['uint16', 4, Uint16Array.of(1, 2, 65535)],
    ['int16', 5, Int16Array.of(1, -2, 3)],
    ['int32', 6, Int32Array.of(1, -2, 3)],
    ['int64', 7, BigInt64Array.of(1n, -2n, 2n ** 62n)],
    ['string', 8, ['a', '', 'ü']],
    ['bool', 9, Uint8Array.of(1, 0, 1)],
    ['float16', 10, Uint16Array.of(0x3c00, 0xc000, 0x7bff)],
    ['float64', 11, Float64Array.of(1.5, -2, 3)],
    ['uint32', 12, Uint32Array.of(1, 2, 2 ** 32 - 1)],
    ['uint64', 13, BigUint64Array.of(1n, 2n, 2n ** 64n - 1n)],
  ];
  it.each(carried)('carries %s in and out unchanged', async (dtype, code, data) => {
    const session = await engine.open(identity(code));
    expect(session.inputs).toEqual([{ name: 'x', type: tensorType(dtype, ['n']) }]);
    const results = await session.run({ x: { dtype, shape: [3], data } });
    expect(results).toEqual({ y: { dtype, shape: [3], data } });
    await session.release();
  });

  it('refuses to fetch a 4-bit output, which would kill the process', async () => {
    const session = await engine.open(
      tinyOnnx({
        nodes: [{ type: 'QuantizeLinear', inputs: ['x', 'scale', 'zero'], outputs: ['y'] }],
        weights: [
          { name: 'scale', shape: [], data: Float32Array.of(0.5) },
          { name: 'zero', code: 22, shape: [], data: Uint8Array.of(0) },
        ],
        inputs: [{ name: 'x', shape: [3] }],
        outputs: [{ name: 'y', code: 22, shape: [3] }],
      }),
    );
    const feeds = { x: f32([3], 0.5, -1, 3.5) };
    await expect(session.run(feeds)).rejects.toMatchObject({ code: 'runtime-failed', where: { tensor: 'y' } });
    expect(() => session.bind(feeds)).toThrow('int4');
  });

  it('keeps symbolic and unknown dimensions apart', async () => {
    const session = await engine.open(
      tinyOnnx({
        nodes: [{ type: 'Identity', inputs: ['x'], outputs: ['y'] }],
        inputs: [{ name: 'x', shape: ['batch', 3, ''] }],
        outputs: [{ name: 'y', shape: ['batch', 3, ''] }],
      }),
    );
    expect(session.inputs[0]?.type).toEqual(tensorType('float32', ['batch', 3, null]));
  });

  it('opens by path, with any optimization level, and fetches what is asked for', async () => {
    const path = join(folder, 'add.onnx');
    writeFileSync(path, tinyOnnx(add));
    for (const optimization of ['disabled', 'basic', 'extended', 'layout', 'all'] as const) {
      const session = await engine.open(path, { optimization, threads: 1 });
      expect(await session.run({ x: f32([1, 2], -1, 2) }, ['y'])).toEqual({ y: f32([1, 2], 10, 22) });
      await session.release();
    }
  });

  it('saves the optimised graph and passes configuration entries on', async () => {
    const optimizedModelPath = join(folder, 'optimised.onnx');
    const session = await engine.open(tinyOnnx(add), {
      optimizedModelPath,
      optimization: 'basic',
      config: { 'session.disable_prepacking': '1' },
    });
    expect(readFileSync(optimizedModelPath).length).toBeGreaterThan(50);
    await session.release();
    await expect(engine.open(tinyOnnx(add), { config: { 'session.load_model_format': 'ORT' } })).rejects.toMatchObject({
      code: 'runtime-rejected-model',
      message: expect.stringContaining('ORT'),
    });
  });

  it('writes a profile that names the nodes', async () => {
    const session = await engine.open(tinyOnnx(add), { profilePrefix: join(folder, 'profile') });
    await session.run({ x: f32([1, 2], -1, 2) });
    const path = session.endProfiling();
    expect(existsSync(path)).toBe(true);
    expect(readFileSync(path, 'utf8')).toContain('second');
    await session.release();
  });

  it('times nothing but the run when feeds are bound', async () => {
    const session = await engine.open(tinyOnnx(add));
    const run = session.bind({ x: f32([1, 2], -1, 2) });
    await run();
    await run();
    await expect(async () => session.bind({ x: f32([2, 2], 1) })).rejects.toMatchObject({ code: 'data-mismatch' });
  });
});

describe('errors of the runtime', () => {
  const run = async (feeds: Record<string, HostTensor>) => {
    const session = await engine.open(
      tinyOnnx({
        nodes: [{ type: 'Gather', inputs: ['x', 'i'], outputs: ['y'], name: 'pick' }],
        inputs: [
          { name: 'x', shape: [3] },
          { name: 'i', code: 7, shape: ['n'] },
        ],
        outputs: [{ name: 'y', shape: ['n'] }],
      }),
    );
    await session.run(feeds);
  };
  const index = (value: bigint): HostTensor => ({ dtype: 'int64', shape: [1], data: BigInt64Array.of(value) });

  it.each([
    ['an unknown operator', { type: 'Foo', inputs: ['x'] }],
    ['an unknown domain', { type: 'Foo', domain: 'com.example', inputs: ['x'] }],
    ['a wrong type', { type: 'Reshape', inputs: ['x', 'x'] }],
    ['a wrong rank', { type: 'Conv', inputs: ['x', 'x'] }],
  ])('names the node of %s', async (_, node) => {
    const model = tinyOnnx({
      nodes: [{ ...node, outputs: ['y'], name: 'my node' }],
      inputs: [{ name: 'x', shape: ['n'] }],
      outputs: [{ name: 'y', shape: ['n'] }],
    });
    await expect(engine.open(model)).rejects.toMatchObject({
      code: 'runtime-rejected-model',
      where: { node: 'my node' },
    });
  });

  it('names the node that failed while running', async () => {
    await expect(run({ x: f32([3], 1, 2, 3), i: index(9n) })).rejects.toMatchObject({
      code: 'runtime-failed',
      where: { node: 'pick' },
      message: expect.stringContaining('idx=9'),
    });
  });

  it('reports feeds that the model does not take', async () => {
    await expect(run({ x: f32([2], 1, 2), i: index(0n) })).rejects.toMatchObject({ code: 'runtime-failed' });
    await expect(run({ x: f32([3], 1, 2, 3) })).rejects.toMatchObject({ code: 'runtime-failed' });
    await expect(run({ x: { dtype: 'bfloat16', shape: [1], data: Uint16Array.of(1) } })).rejects.toMatchObject({
      code: 'data-mismatch',
      where: { tensor: 'x' },
    });
    await expect(run({ x: { dtype: 'int4', shape: [1], data: Uint8Array.of(1) } })).rejects.toMatchObject({
      code: 'data-mismatch',
    });
    await expect(run({ x: { dtype: 'float32', shape: [3], data: Int32Array.of(1, 2, 3) } })).rejects.toMatchObject({
      code: 'data-mismatch',
    });
  });

  it('tells a missing file, a damaged one, an interface limit and a missing provider apart', async () => {
    const missing = join(folder, 'missing.onnx');
    await expect(engine.open(missing)).rejects.toMatchObject({ code: 'file-missing', where: { file: missing } });
    await expect(engine.open(Uint8Array.of(1, 2, 3))).rejects.toMatchObject({ code: 'runtime-rejected-model' });
    await expect(engine.open(identity(16))).rejects.toMatchObject({
      code: 'runtime-rejected-model',
      message: expect.stringContaining('ONNX type 16'),
    });
    await expect(engine.open(identity(1), { provider: 'bogus' })).rejects.toMatchObject({
      code: 'provider-unavailable',
    });
  });
});
