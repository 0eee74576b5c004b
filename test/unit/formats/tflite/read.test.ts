/** TFLite files made in code open as ONNX graphs that compute what the file says. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { onnxBytes } from '../../../../native-workers/formats/onnx/write.ts';
import type { TflGraph, TflOperator, TflTensor } from '../../../../native-workers/formats/tflite/ir.ts';
import { readTflite } from '../../../../native-workers/formats/tflite/read.ts';
import { writeTflite } from '../../../../native-workers/formats/tflite/write.ts';
import { tensorFromFloat32, tensorFromNumbers } from '../../../../native-workers/graph/tensor-values.ts';
import { validate } from '../../../../native-workers/graph/validate.ts';
import { LiteRt } from '../../../../native-workers/runtimes/litert.ts';
import { engine, float32 } from '../../../helpers/passes.ts';
import { temporaryFolder } from '../../../helpers/temp.ts';

function tensor(name: string, shape: readonly number[], values?: readonly number[]): TflTensor {
  const constant = values === undefined ? null : tensorFromFloat32(Float32Array.from(values), shape);
  return { name, shape, dtype: 'float32', constant, quantization: null, signature: null };
}

/** A picture of 3 x 3 with two channels through a depthwise convolution of ones (SAME), ReLU6, and a transposing pool. */
function graph(): TflGraph {
  const x = tensor('x', [1, 3, 3, 2]);
  const active = tensor('active', [1, 3, 3, 2]);
  const y = tensor('y', [1, 1, 1, 2]);
  const filter = tensor('filter', [1, 3, 3, 2], Array<number>(18).fill(1));
  const bias = tensor('bias', [2], [0, 1]);
  const operators: TflOperator[] = [
    {
      code: 'DEPTHWISE_CONV_2D',
      inputs: [x, filter, bias],
      outputs: [active],
      options: {
        padding: 0,
        stride_w: 1,
        stride_h: 1,
        depth_multiplier: 1,
        fused_activation_function: 3,
        dilation_w_factor: 1,
        dilation_h_factor: 1,
      },
      source: 'conv',
    },
    {
      code: 'AVERAGE_POOL_2D',
      inputs: [active],
      outputs: [y],
      options: {
        padding: 1,
        stride_w: 1,
        stride_h: 1,
        filter_width: 3,
        filter_height: 3,
        fused_activation_function: 0,
      },
      source: 'pool',
    },
  ];
  return {
    inputs: [{ source: 'x', name: 'x', tensor: x }],
    outputs: [{ source: 'y', name: 'y', tensor: y }],
    operators,
  };
}

describe('a TFLite file made in code', () => {
  it('opens with the names of its interface and computes what it says', async () => {
    const path = join(temporaryFolder(), 'model.tflite');
    writeTflite(graph(), path);
    const model = readTflite(path);
    validate(model);
    expect(model.graph.inputs.map(({ name }) => name)).toEqual(['x']);
    expect(model.graph.outputs.map(({ name }) => name)).toEqual(['y']);
    // One transpose into NCHW and one out of it: nothing between them changes the layout.
    const types = [...model.graph.nodes].map(({ opType }) => opType);
    expect(types).toEqual(['Transpose', 'Conv', 'Clip', 'AveragePool', 'Transpose']);
    const session = await engine.open(onnxBytes(model));
    // Channel 0 holds ones, channel 1 zeros: windows of 4, 6 and 9 ones, cut at 6; and the bias.
    const { y } = await session.run({
      x: float32([1, 3, 3, 2], [1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0]),
    });
    await session.release();
    expect(y?.shape).toEqual([1, 1, 1, 2]);
    expect(Number(y?.data[0])).toBeCloseTo((4 * 4 + 4 * 6 + 6) / 9, 5);
    expect(Number(y?.data[1])).toBeCloseTo(1, 5);
  });

  it('names operators that it cannot open, with their number', () => {
    const path = join(temporaryFolder(), 'model.tflite');
    const [x, h, y] = [tensor('x', [2]), tensor('h', [2]), tensor('y', [2])];
    const operators: TflOperator[] = [
      { code: 'RFFT2D', inputs: [x], outputs: [h], options: {}, source: 'first' },
      { code: 'RFFT2D', inputs: [h], outputs: [y], options: {}, source: 'second' },
    ];
    writeTflite(
      { inputs: [{ source: 'x', name: 'x', tensor: x }], outputs: [{ source: 'y', name: 'y', tensor: y }], operators },
      path,
    );
    expect(() => readTflite(path)).toThrow(/RFFT2D \(2\)/);
  });

  it('refuses what is no TFLite file', () => {
    const path = join(temporaryFolder(), 'model.tflite');
    writeFileSync(path, 'TFL');
    expect(() => readTflite(path)).toThrow(/ends before its header/);
    writeFileSync(path, Buffer.from('\u0008\0\0\0TFL4\0\0\0\0', 'latin1'));
    expect(() => readTflite(path)).toThrow(/no TFLite model/);
  });

  it('lets the zeros of a PAD take part in the pool after it, where the picture is negative', async () => {
    const x = tensor('x', [1, 2, 2, 1]);
    // A pool before brings the padding to channels first, as in a network.
    const first = tensor('first', [1, 2, 2, 1]);
    const padded = tensor('padded', [1, 4, 4, 1]);
    const y = tensor('y', [1, 2, 2, 1]);
    const paddings: TflTensor = {
      ...tensor('paddings', [4, 2]),
      dtype: 'int32',
      constant: tensorFromNumbers('int32', [0, 0, 1, 1, 1, 1, 0, 0], [4, 2]),
    };
    const window = { padding: 1, stride_w: 2, stride_h: 2, filter_width: 2, filter_height: 2 };
    const path = join(temporaryFolder(), 'model.tflite');
    writeTflite(
      {
        inputs: [{ source: 'x', name: 'x', tensor: x }],
        outputs: [{ source: 'y', name: 'y', tensor: y }],
        operators: [
          {
            code: 'MAX_POOL_2D',
            inputs: [x],
            outputs: [first],
            options: {
              padding: 1,
              stride_w: 1,
              stride_h: 1,
              filter_width: 1,
              filter_height: 1,
              fused_activation_function: 0,
            },
            source: 'first',
          },
          { code: 'PAD', inputs: [first, paddings], outputs: [padded], options: {}, source: 'pad' },
          {
            code: 'MAX_POOL_2D',
            inputs: [padded],
            outputs: [y],
            options: { ...window, fused_activation_function: 0 },
            source: 'pool',
          },
        ],
      },
      path,
    );
    const session = await engine.open(onnxBytes(readTflite(path)));
    try {
      const { y: result } = await session.run({ x: float32([1, 2, 2, 1], [-1, 2, -3, -4]) });
      expect([...(result?.data ?? [])].map((value) => Number(value) + 0)).toEqual([0, 2, 0, 0]);
    } finally {
      await session.release();
    }
  });

  it.each([[[1, 1]], [[5, -3]], [[2, 0]]])('puts a part at %j, moved inside, as LiteRT does', async (start) => {
    const [x, y] = [tensor('x', [4, 5]), tensor('y', [4, 5])];
    const part = tensor('part', [2, 3], [-1, -2, -3, -4, -5, -6]);
    const begin: TflTensor = {
      ...tensor('begin', [2]),
      dtype: 'int32',
      constant: tensorFromNumbers('int32', start, [2]),
    };
    const operators: TflOperator[] = [
      { code: 'DYNAMIC_UPDATE_SLICE', inputs: [x, part, begin], outputs: [y], options: {}, source: 'put' },
    ];
    const path = join(temporaryFolder(), 'model.tflite');
    writeTflite(
      { inputs: [{ source: 'x', name: 'x', tensor: x }], outputs: [{ source: 'y', name: 'y', tensor: y }], operators },
      path,
    );
    const feeds = {
      x: float32(
        [4, 5],
        Array.from({ length: 20 }, (_, at) => at),
      ),
    };
    const artifact = await (await LiteRt.create()).open(readFileSync(path));
    const expected = await artifact.run(feeds);
    artifact.release();
    const session = await engine.open(onnxBytes(readTflite(path)));
    const found = await session.run(feeds);
    await session.release();
    expect(Array.from(found['y']?.data ?? [], Number)).toEqual(Array.from(expected['y']?.data ?? [], Number));
  });
});
