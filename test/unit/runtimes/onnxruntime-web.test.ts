import { describe, expect, it } from 'vitest';
import { openEngine } from '../../../native-workers/runtimes/onnxruntime.ts';
import { openWasmEngine } from '../../../native-workers/runtimes/onnxruntime-web.ts';
import { matrixChain } from '../../helpers/bench-models.ts';
import { tinyOnnx } from '../../helpers/tiny-onnx.ts';

const wasm = await openWasmEngine();

describe('openWasmEngine', () => {
  it('computes what the native runtime computes', async () => {
    const x = {
      dtype: 'float32',
      shape: [2, 32],
      data: Float32Array.from({ length: 64 }, (_, i) => Math.sin(i)),
    } as const;
    const [web, native] = await Promise.all(
      [wasm, await openEngine()].map(async (engine) => (await engine.open(matrixChain(4, 32))).run({ x })),
    );
    expect(web?.['y']?.shape).toEqual([2, 32]);
    for (const [index, value] of (native?.['y']?.data ?? []).entries()) {
      expect(Number(web?.['y']?.data[index])).toBeCloseTo(Number(value), 4);
    }
  });

  it('carries float16', async () => {
    const value = { code: 10, shape: [2] };
    const session = await wasm.open(
      tinyOnnx({
        nodes: [{ type: 'Identity', inputs: ['x'], outputs: ['y'] }],
        inputs: [{ ...value, name: 'x' }],
        outputs: [{ ...value, name: 'y' }],
      }),
    );
    const x = { dtype: 'float16', shape: [2], data: Uint16Array.of(0x3c00, 0xc000) } as const;
    expect(await session.run({ x })).toEqual({ y: x });
  });

  it('names what it refuses', async () => {
    await expect(wasm.open(Uint8Array.of(1, 2))).rejects.toMatchObject({ code: 'runtime-rejected-model' });
    // Its text names the operator, not the node.
    const foo = tinyOnnx({
      nodes: [{ type: 'Foo', inputs: ['x'], outputs: ['y'], name: 'odd' }],
      inputs: [{ name: 'x', shape: [1] }],
      outputs: [{ name: 'y', shape: [1] }],
    });
    await expect(wasm.open(foo)).rejects.toMatchObject({ code: 'runtime-rejected-model', where: { node: 'Foo' } });
  });
});
