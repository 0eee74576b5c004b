import { describe, expect, it } from 'vitest';
import { emulateSaturation } from '../../../native-workers/calibrate/saturation.ts';
import { tensorFromNumbers } from '../../../native-workers/graph/tensor-values.ts';
import { tensorType } from '../../../native-workers/graph/types.ts';
import type { Value } from '../../../native-workers/graph/value.ts';
import type { Feeds } from '../../../native-workers/lib/engine.ts';
import { ModelBuilder } from '../../helpers/models.ts';
import { float32, passContext } from '../../helpers/passes.ts';

async function* once(feeds: Feeds): AsyncGenerator<Feeds> {
  yield feeds;
}

/** x -> Q/DQ (scale 1, zero point 0) -> operator with an int8 weight of scale 1. */
function quantized(opType: string, codes: readonly number[], shape: readonly number[], inputShape: readonly number[]) {
  const build = new ModelBuilder();
  const constant = (
    name: string,
    dtype: 'float32' | 'uint8' | 'int8',
    values: readonly number[],
    dims: number[] = [],
  ): Value => build.graph.addInitializer(name, tensorFromNumbers(dtype, values, dims));
  const one = constant('one', 'float32', [1]);
  const zero = constant('zero', 'uint8', [0]);
  const input = build.input('x', ['batch', ...inputShape]);
  const data = build.op('DequantizeLinear', [build.op('QuantizeLinear', [input, one, zero], 'q'), one, zero], 'dq');
  const weight = build.op(
    'DequantizeLinear',
    [constant('w', 'int8', codes, [...shape]), one, constant('wz', 'int8', [0])],
    'wdq',
  );
  return build.outputs(build.op(opType, [data, weight], 'y')).model();
}

describe('emulateSaturation', () => {
  it('takes off a matrix product what two large products lose together', async () => {
    const model = quantized('MatMul', [127, 1, 127, 1], [2, 2], [2]);
    const facts = await emulateSaturation(model, once({ x: float32([1, 2], [255, 255]) }), 4, passContext().open);
    const excess = 32767 - 2 * 255 * 127;
    const [whole, small] = [2 * 255 * 127, 2 * 255];
    expect(facts?.layers).toEqual([
      {
        node: 'y_node',
        share: 0.5,
        error: expect.closeTo(Math.abs(excess) / Math.hypot(whole, small), 5),
      },
    ]);
    expect(facts?.agreement).toBe(1);
  });

  it('sees a convolution as its kernel does: input channels fastest, zero outside the picture', async () => {
    // Two channels at one position saturate together; the two positions of one channel would not be a pair.
    const model = quantized('Conv', [127, 1, 127, 1], [1, 2, 2], [2, 2]);
    const facts = await emulateSaturation(
      model,
      once({ x: float32([1, 2, 2], [255, 0, 255, 0]) }),
      1,
      passContext().open,
    );
    expect(facts?.layers[0]?.share).toBe(0.5);
    expect(facts?.layers[0]?.error).toBeCloseTo((2 * 255 * 127 - 32767) / (2 * 255 * 127), 5);
  });

  it('has nothing to say where no pair can saturate', async () => {
    const model = quantized('MatMul', [64, 1, 64, 1], [2, 2], [2]);
    expect(await emulateSaturation(model, once({ x: float32([1, 2], [255, 255]) }), 4, passContext().open)).toBeNull();
  });

  it('counts the samples that it was asked for', async () => {
    const model = quantized('MatMul', [127, 1, 127, 1], [2, 2], [2]);
    const feeds = { x: float32([3, 2], [255, 255, 0, 0, 255, 255]) };
    expect((await emulateSaturation(model, once(feeds), 2, passContext().open))?.samples).toBe(2);
    // Where the model has no batch axis the batch is one sample, whatever its shape.
    expect((await emulateSaturation(model, once(feeds), 2, passContext().open, true))?.samples).toBe(1);
  });

  it('does not count the answers of rows that fill a fixed batch up', async () => {
    // The first two rows answer alike with the loss and without it; the third, which only fills the batch up, does not.
    const model = quantized('MatMul', [124, 127, 126, 127], [2, 2], [2]);
    for (const value of model.graph.inputs) value.type = tensorType('float32', [3, 2]);
    const batch = { x: float32([3, 2], [0, 1, 1, 0, 255, 255]) };
    const found = async (samples: number) => emulateSaturation(model, once(batch), samples, passContext().open);
    expect(await found(2)).toMatchObject({ samples: 2, agreement: 1 });
    expect((await found(3))?.agreement).toBeCloseTo(2 / 3);
  });
});
