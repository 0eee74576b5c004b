import { describe, expect, it } from 'vitest';
import { tensorFromFloat32, toFloat32 } from '../../../native-workers/graph/tensor-values.ts';
import type { Value } from '../../../native-workers/graph/value.ts';
import type { Feeds } from '../../../native-workers/lib/engine.ts';
import { Random } from '../../../native-workers/lib/random.ts';
import { equalizeChannels } from '../../../native-workers/passes/equalize-channels.ts';
import type { CalibrationData } from '../../../native-workers/passes/pass.ts';
import { scalableGroups } from '../../../native-workers/passes/quantization/channel-scaling.ts';
import { ModelBuilder } from '../../helpers/models.ts';
import { countsOf, float32, passContext, relativeDifference, runModel, runPass } from '../../helpers/passes.ts';

const random = new Random(9);
const { types } = passContext();
const picture: Feeds = {
  x: float32(
    [2, 3, 6, 6],
    Array.from({ length: 216 }, () => random.normal()),
  ),
};
const calibration: CalibrationData = {
  samples: 2,
  random: false,
  async *batches() {
    yield picture;
  },
};

/** Makes one output channel of a convolution `factor` times as large as the others. */
function enlarge(weight: Value, channel: number, factor: number): void {
  const { tensor } = weight;
  if (tensor === null) throw new Error('no weight');
  const values = Float32Array.from(toFloat32(tensor));
  const size = values.length / (tensor.shape[0] ?? 1);
  for (let index = 0; index < size; index++)
    values[channel * size + index] = (values[channel * size + index] ?? 0) * factor;
  weight.tensor = tensorFromFloat32(values, tensor.shape);
}

/** Two convolutions with an activation between them; the first has one loud channel. */
function twoConvolutions(activation: string, factor: number) {
  const builder = new ModelBuilder();
  const first = builder.weight('w1', [4, 3, 3, 3]);
  enlarge(first, 1, factor);
  const a = builder.op('Conv', [builder.input('x', ['n', 3, 6, 6]), first, builder.weight('b1', [4])], 'a', {
    pads: [1, 1, 1, 1],
  });
  const b = activation === 'Clip' ? builder.op('Clip', [a], 'b') : builder.op(activation, [a], 'b');
  builder.outputs(builder.op('Conv', [b, builder.weight('w2', [5, 4, 3, 3])], 'y', { pads: [1, 1, 1, 1] }));
  return { model: builder.model(), first };
}

const largestByChannel = (weight: Value): number[] => {
  const { tensor } = weight;
  if (tensor === null) return [];
  const values = toFloat32(tensor);
  const size = values.length / (tensor.shape[0] ?? 1);
  return Array.from({ length: tensor.shape[0] ?? 1 }, (_, channel) =>
    Math.max(...values.subarray(channel * size, (channel + 1) * size).map(Math.abs)),
  );
};

describe('equalizing channels', () => {
  it('brings a loud channel down, and the outputs stay', async () => {
    const { model, first } = twoConvolutions('Relu', 50);
    const before = largestByChannel(first);
    const reference = await runModel(model, picture);
    const counts = countsOf(await runPass(equalizeChannels, model, {}, { calibration }));
    expect(counts).toEqual({ 'groups of activations equalized': 1 });
    const after = largestByChannel(first);
    const spread = (values: number[]): number => Math.max(...values) / Math.min(...values);
    expect(spread(after)).toBeLessThan(spread(before) / 3);
    const outputs = await runModel(model, picture);
    const [expected, actual] = [reference['y']?.data as Float32Array, outputs['y']?.data as Float32Array];
    const largest = Math.max(...expected.map(Math.abs));
    actual.forEach((value, index) => {
      expect(Math.abs(value - (expected[index] ?? 0))).toBeLessThan(largest * 1e-5);
    });
  });

  it('leaves even channels alone', async () => {
    const outcome = await runPass(
      equalizeChannels,
      twoConvolutions('Relu', 1).model,
      { minimumGain: 0.5 },
      { calibration },
    );
    expect(outcome.status).toBe('unchanged');
  });

  it('moves nothing through an activation that is not homogeneous', async () => {
    const outcome = await runPass(equalizeChannels, twoConvolutions('Sigmoid', 50).model, {}, { calibration });
    expect(outcome).toMatchObject({ status: 'unchanged', reason: 'No activation lets a factor by channel through.' });
  });

  it('moves nothing through a value that is an output of the model', async () => {
    const { model } = twoConvolutions('Relu', 50);
    const relu = [...model.graph.nodes].find((node) => node.opType === 'Relu')?.outputs[0];
    if (relu == null) throw new Error('no activation');
    model.graph.outputs.push(relu);
    expect(scalableGroups(model.graph, await types(model))).toEqual([]);
  });

  it.each([
    ['scales quiet channels up to the bound of a ReLU6', false, 'changed'],
    ['knows no channel that stays below the bound from made-up data', true, 'unchanged'],
  ])('%s', async (_, made, status) => {
    const builder = new ModelBuilder();
    const first = builder.weight('w1', [4, 3, 3, 3]);
    enlarge(first, 1, 50);
    const a = builder.op('Conv', [builder.input('x', ['n', 3, 6, 6]), first, builder.weight('b1', [4])], 'a');
    const bounds = [0, 6].map((bound) => {
      const value = builder.weight(`bound${bound}`, []);
      value.tensor = tensorFromFloat32(Float32Array.of(bound), []);
      return value;
    });
    const b = builder.op('Clip', [a, ...bounds], 'b');
    const depthwise = builder.weight('w2', [4, 1, 3, 3]);
    builder.outputs(builder.op('Conv', [b, depthwise], 'y', { group: 4 }));
    const model = builder.model();
    const before = largestByChannel(first);
    const reference = await runModel(model, picture);
    const outcome = await runPass(equalizeChannels, model, {}, { calibration: { ...calibration, random: made } });
    expect(outcome.status).toBe(status);
    if (made) return;
    const after = largestByChannel(first);
    expect(after[1]).toBe(before[1]);
    expect(after[0]).toBeGreaterThan((before[0] ?? 0) * 1.5);
    const outputs = await runModel(model, picture);
    expect(relativeDifference(reference['y'], outputs['y'])).toBeLessThan(1e-5);
  });

  it('moves factors through the gain and shift of a normalization into a product', async () => {
    const builder = new ModelBuilder();
    const x = builder.input('x', ['n', 8]);
    const gain = builder.weight('gain', [8]);
    const loud = Float32Array.from({ length: 8 }, (_, channel) => (channel === 2 ? 40 : 1));
    gain.tensor = tensorFromFloat32(loud, [8]);
    const normal = builder.op('LayerNormalization', [x, gain, builder.weight('shift', [8])], 'normal', { axis: -1 });
    builder.outputs(builder.op('MatMul', [normal, builder.weight('w', [8, 6])], 'y'));
    const model = builder.model();
    const feeds: Feeds = {
      x: float32(
        [4, 8],
        Array.from({ length: 32 }, () => random.normal()),
      ),
    };
    const reference = await runModel(model, feeds);
    const data: CalibrationData = {
      samples: 4,
      random: false,
      async *batches() {
        yield feeds;
      },
    };
    countsOf(await runPass(equalizeChannels, model, {}, { calibration: data }));
    expect(Math.max(...toFloat32(gain.tensor ?? tensorFromFloat32(loud, [8])))).toBeLessThan(20);
    const outputs = await runModel(model, feeds);
    const [expected, actual] = [reference['y']?.data as Float32Array, outputs['y']?.data as Float32Array];
    actual.forEach((value, index) => {
      expect(value).toBeCloseTo(expected[index] ?? 0, 3);
    });
  });
});
