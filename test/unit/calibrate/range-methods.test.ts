import { describe, expect, it } from 'vitest';
import { Histogram } from '../../../native-workers/calibrate/histogram.ts';
import { parametersFor, rangeOf, roundHalfEven } from '../../../native-workers/calibrate/quantization-parameters.ts';
import { chooseRange, type TensorStatistics } from '../../../native-workers/calibrate/range-methods.ts';
import { Random } from '../../../native-workers/lib/random.ts';

const OPTIONS = { percentile: 99.9, steps: 255 };

function statisticsOf(values: Float32Array): TensorStatistics {
  const range = { min: Math.min(...values), max: Math.max(...values) };
  const histogram = new Histogram();
  histogram.cover(range);
  histogram.add(values);
  return { range, average: { min: range.min / 2, max: range.max / 2 }, histogram };
}

/** Squared error of quantizing `values` to 8 bits over `range`. */
function squaredError(values: Float32Array, range: { min: number; max: number }): number {
  const { scale, zeroPoint } = parametersFor(range, 'uint8', false);
  return values.reduce((sum, value) => {
    const code = Math.max(0, Math.min(255, roundHalfEven(value / scale) + zeroPoint));
    return sum + (value - (code - zeroPoint) * scale) ** 2;
  }, 0);
}

const random = new Random(3);
const normal = Float32Array.from({ length: 20000 }, () => random.normal());
/** Nearly all small, a few far out: where clipping pays. */
const outliers = Float32Array.from({ length: 20000 }, (_, index) => random.normal() * (index % 2000 === 0 ? 60 : 1));
const rectified = outliers.map((value) => Math.max(0, value));

describe('quantization parameters', () => {
  it('always represent zero exactly', () => {
    const { scale, zeroPoint } = parametersFor({ min: 2, max: 6 }, 'uint8', false);
    expect(zeroPoint).toBe(0);
    expect(scale).toBeCloseTo(6 / 255, 6);
    expect(parametersFor({ min: -1, max: 1 }, 'int8', true)).toMatchObject({
      zeroPoint: 0,
      scale: Math.fround(1 / 127),
    });
    expect(parametersFor({ min: -1, max: 1 }, 'uint8', true).zeroPoint).toBe(128);
  });

  it('give scale 1 to a range of nothing but zero', () => {
    expect(parametersFor({ min: 0, max: 0 }, 'uint8', false)).toEqual({ type: 'uint8', scale: 1, zeroPoint: 0 });
  });

  it('cover the range they were made for', () => {
    const range = rangeOf(parametersFor({ min: -0.7, max: 2.1 }, 'uint8', false));
    expect(range.min).toBeLessThan(-0.68);
    expect(range.max).toBeGreaterThan(2.08);
  });

  it('round halves to even', () => {
    expect([0.5, 1.5, 2.5, -0.5, -1.5].map(roundHalfEven).map((value) => value + 0)).toEqual([0, 2, 2, 0, -2]);
  });
});

describe('ranges', () => {
  it('minmax and moving average take what was measured', () => {
    const statistics = statisticsOf(normal);
    expect(chooseRange('minmax', statistics, OPTIONS)).toEqual(statistics.range);
    expect(chooseRange('moving-average', statistics, OPTIONS)).toEqual(statistics.average);
  });

  it('percentile cuts the share it is told to off each end', () => {
    const range = chooseRange('percentile', statisticsOf(normal), { ...OPTIONS, percentile: 99 });
    const below = normal.filter((value) => value < range.min).length / normal.length;
    const above = normal.filter((value) => value > range.max).length / normal.length;
    for (const share of [below, above]) {
      expect(share).toBeGreaterThan(0.005);
      expect(share).toBeLessThan(0.0105);
    }
  });

  it.each([
    ['normal', normal],
    ['outliers', outliers],
    ['rectified', rectified],
  ])('mse is no worse than minmax and percentile on %s values', (_, values) => {
    const statistics = statisticsOf(values);
    const error = squaredError(values, chooseRange('mse', statistics, OPTIONS));
    expect(error).toBeLessThanOrEqual(squaredError(values, chooseRange('minmax', statistics, OPTIONS)) * 1.02);
    expect(error).toBeLessThanOrEqual(squaredError(values, chooseRange('percentile', statistics, OPTIONS)) * 1.02);
  });

  it('mse clips outliers where steps are coarse, and leaves a one-sided tensor at zero', () => {
    const range = chooseRange('mse', statisticsOf(rectified), { ...OPTIONS, steps: 15 });
    expect(range.min).toBe(0);
    expect(range.max).toBeLessThan(Math.max(...rectified) * 0.5);
  });

  it('entropy cuts a few far outliers off, and keeps what is not far out', () => {
    const far = normal.map((value, index) => (index % 5000 === 0 ? 40 : value));
    const range = chooseRange('entropy', statisticsOf(far), OPTIONS);
    const body = normal.filter((_, index) => index % 5000 !== 0);
    expect(body.filter((value) => value < range.min || value > range.max).length / body.length).toBeLessThan(0.001);
    expect(range.max).toBeLessThan(8);
  });

  it('entropy keeps nearly all of a normal and all of a uniform distribution', () => {
    const { min, max } = chooseRange('entropy', statisticsOf(normal), OPTIONS);
    expect(normal.filter((value) => value < min || value > max).length / normal.length).toBeLessThan(0.001);
    const uniform = Float32Array.from({ length: 20000 }, (_, index) => index / 20000);
    expect(chooseRange('entropy', statisticsOf(uniform), OPTIONS).max).toBeGreaterThan(0.999);
  });

  it.each([
    ['half', normal],
    ['nearly all', normal.map((value) => value - 2)],
  ])('entropy is not misled by the zeros of a ReLU, %s of the tensor', (_, values) => {
    const active = values.map((value) => Math.max(0, value));
    const { min, max } = chooseRange('entropy', statisticsOf(active), OPTIONS);
    expect(min).toBe(0);
    expect(active.filter((value) => value > max).length / active.length).toBeLessThan(0.001);
  });

  it('entropy keeps the bound of a ReLU6, where many elements are', () => {
    const active = normal.map((value) => Math.min(6, Math.max(0, 4 * value)));
    expect(chooseRange('entropy', statisticsOf(active), OPTIONS)).toEqual({ min: 0, max: 6 });
  });

  it('entropy keeps both of two humps, with nothing between them', () => {
    const humps = normal.map((value, index) => (index % 2 === 0 ? 1.3 : -1.3) + 0.05 * value);
    const { min, max } = chooseRange('entropy', statisticsOf(humps), OPTIONS);
    expect(humps.filter((value) => value < min || value > max).length / humps.length).toBeLessThan(0.001);
  });

  it('entropy is not misled by channels that are constant', () => {
    // Every fifth element is one of three numbers, as where a bias goes through a ReLU alone.
    const constants = [0.31, 0.52, 1.13];
    const active = normal.map((value, index) =>
      index % 5 === 0 ? (constants[index % 3] as number) : Math.max(0, value),
    );
    const { max } = chooseRange('entropy', statisticsOf(active), OPTIONS);
    expect(active.filter((value) => value > max).length / active.length).toBeLessThan(0.001);
  });

  it('entropy does not clip a number that many elements are', () => {
    const active = normal.map((value, index) => (index % 50 === 0 ? 9 : Math.max(0, value)));
    expect(chooseRange('entropy', statisticsOf(active), OPTIONS).max).toBeGreaterThan(8.95);
  });

  it('entropy keeps the short side of a one-sided activation whole', () => {
    const swish = normal.map((value) => (4 * value) / (1 + Math.exp(-4 * value)));
    const { range } = statisticsOf(swish);
    expect(chooseRange('entropy', statisticsOf(swish), OPTIONS).min).toBe(range.min);
  });

  it('entropy leaves a tensor of zeros and one value at its range', () => {
    expect(chooseRange('entropy', statisticsOf(Float32Array.of(0, 0, 0, 3)), OPTIONS)).toEqual({ min: 0, max: 3 });
  });

  it('a constant tensor keeps its range', () => {
    const statistics = { range: { min: 2, max: 2 }, average: { min: 2, max: 2 }, histogram: null };
    expect(chooseRange('mse', statistics, OPTIONS)).toEqual({ min: 2, max: 2 });
  });
});
