import { describe, expect, it } from 'vitest';
import { cloneModel } from '../../../../native-workers/graph/clone.ts';
import type { Model } from '../../../../native-workers/graph/model.ts';
import type { Feeds } from '../../../../native-workers/lib/engine.ts';
import { Random } from '../../../../native-workers/lib/random.ts';
import { type QuantizeStaticOptions, quantizeStatic } from '../../../../native-workers/passes/quantize-static.ts';
import { ModelBuilder } from '../../../helpers/models.ts';
import { calibrationOf, countsOf, float32, numbers, runModel, runPass } from '../../../helpers/passes.ts';

const random = new Random(11);

/** Pictures whose neighbouring pixels are alike, as those of cameras are. */
function picture(shape: readonly [number, number, number, number]): Feeds {
  const [samples, channels, height, width] = shape;
  const values: number[] = [];
  for (let plane = 0; plane < samples * channels; plane++) {
    const [level = 0, down = 0, across = 0] = [1, 1 / height, 1 / width].map((size) => size * (2 * random.float() - 1));
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) values.push(level + down * y + across * x + 0.02 * random.normal());
  }
  return { x: float32(shape, values) };
}

/** Squared error of the outputs after quantization, over their power. */
async function errorOf(
  model: Model,
  options: Partial<QuantizeStaticOptions>,
  calibration: readonly Feeds[],
  feeds: Feeds,
): Promise<number> {
  const { model: copy } = cloneModel(model);
  const all: Partial<QuantizeStaticOptions> = {
    minimumWeights: 1,
    saturationSamples: 0,
    method: 'minmax',
    // What rounding the activations adds would hide the weights.
    activationBits: 16,
    target: 'qnn',
    ...options,
  };
  countsOf(await runPass(quantizeStatic, copy, all, { calibration: calibrationOf(calibration) }));
  const expected = numbers((await runModel(model, feeds))['y']);
  const actual = numbers((await runModel(copy, feeds))['y']);
  const power = expected.reduce((sum, value) => sum + value * value, 0);
  return expected.reduce((sum, value, index) => sum + (value - (actual[index] ?? 0)) ** 2, 0) / power;
}

function convolution(group: number): Model {
  const builder = new ModelBuilder();
  const x = builder.input('x', ['n', 4, 8, 8]);
  const weight = builder.weight('w', [4, 4 / group, 3, 3]);
  builder.outputs(builder.op('Conv', [x, weight, builder.weight('b', [4])], 'y', { group, pads: [1, 1, 1, 1] }));
  return builder.model(21, 10);
}

describe('rounding weights by output error', () => {
  it.each([1, 2, 4])('takes two fifths of the error away on pictures that it did not see: %i groups', async (group) => {
    const model = convolution(group);
    const calibration = Array.from({ length: 64 }, () => picture([1, 4, 8, 8]));
    const fresh = picture([8, 4, 8, 8]);
    const nearest = await errorOf(model, { rounding: 'nearest' }, calibration, fresh);
    const rounded = await errorOf(model, { rounding: 'output-error' }, calibration, fresh);
    expect(rounded).toBeLessThan(nearest * 0.6);
  });

  it('rounds to nearest where there are too few samples to judge by', async () => {
    const model = convolution(1);
    const calibration = [picture([1, 4, 8, 8])];
    const fresh = picture([4, 4, 8, 8]);
    const nearest = await errorOf(model, { rounding: 'nearest' }, calibration, fresh);
    expect(await errorOf(model, { rounding: 'output-error' }, calibration, fresh)).toBe(nearest);
  });

  it.each([
    ['constant data', 4, (): Feeds => ({ x: float32([1, 4, 8, 8], new Float32Array(256).fill(0.5)) })],
    ['zeros', 4, (): Feeds => ({ x: float32([1, 4, 8, 8], new Float32Array(256)) })],
  ])('gives finite answers for %s', async (_, samples, make) => {
    const model = convolution(1);
    const error = await errorOf(model, {}, Array.from({ length: samples }, make), picture([2, 4, 8, 8]));
    expect(Number.isFinite(error)).toBe(true);
  });

  it('rounds rows longer than a block in parts', async () => {
    const builder = new ModelBuilder();
    const x = builder.input('x', ['n', 700]);
    builder.outputs(builder.op('Gemm', [x, builder.weight('w', [700, 3]), builder.weight('b', [3])], 'y'));
    const model = builder.model(21, 10);
    // Fewer directions than elements: what the layer reads elsewhere is known from these.
    const directions = Array.from({ length: 5 }, () => Array.from({ length: 700 }, () => random.normal()));
    const sample = (): Feeds => {
      const shares = directions.map(() => random.normal());
      const row = Array.from({ length: 700 }, (_, at) =>
        directions.reduce((sum, direction, index) => sum + (direction[at] ?? 0) * (shares[index] ?? 0), 0),
      );
      return { x: float32([1, 700], row) };
    };
    const calibration = Array.from({ length: 64 }, sample);
    const fresh = sample();
    const nearest = await errorOf(model, { rounding: 'nearest' }, calibration, fresh);
    expect(await errorOf(model, { rounding: 'output-error' }, calibration, fresh)).toBeLessThan(nearest * 0.6);
  });
});
