import { describe, expect, it } from 'vitest';
import { Random } from '../../../../native-workers/lib/random.ts';
import { channelView, quantizeWeight, relativeError } from '../../../../native-workers/passes/quantization/weights.ts';

const random = new Random(11);
const gaussian = (length: number): Float32Array => Float32Array.from({ length }, () => random.normal());

describe('quantizeWeight', () => {
  it('gives each channel its own scale, along either axis', () => {
    const weight = Float32Array.of(1, -2, 4, 100, 50, -25);
    const rows = quantizeWeight(weight, channelView([2, 3], 0, true), { scale: 'max', pairSafe: false });
    expect([...rows.codes]).toEqual([32, -64, 127, 127, 64, -32]);
    expect([...rows.scales]).toEqual([Math.fround(4 / 127), Math.fround(100 / 127)]);
    const columns = quantizeWeight(weight, channelView([2, 3], 1, true), { scale: 'max', pairSafe: false });
    expect(columns.scales.length).toBe(3);
    expect(columns.codes[3]).toBe(127);
  });

  it('survives a channel of zeros', () => {
    const { codes, scales } = quantizeWeight(new Float32Array(4), channelView([2, 2], 0, true), {
      scale: 'max',
      pairSafe: false,
    });
    expect([...codes]).toEqual([0, 0, 0, 0]);
    expect([...scales]).toEqual([1, 1]);
  });

  it('least squares is never worse than the largest weight', () => {
    const weight = gaussian(64 * 576);
    const view = channelView([64, 64, 3, 3], 0, true);
    const max = relativeError(weight, quantizeWeight(weight, view, { scale: 'max', pairSafe: false }), view);
    const best = relativeError(weight, quantizeWeight(weight, view, { scale: 'least-squares', pairSafe: false }), view);
    expect(best).toBeLessThanOrEqual(max);
    // compression.md 2.3 gives .0075 for Gaussian rows of 576.
    expect(best).toBeLessThan(0.0078);
  });

  it('keeps the least scale it is told to', () => {
    const { scales } = quantizeWeight(gaussian(16), channelView([4, 4], 0, true), {
      scale: 'max',
      pairSafe: false,
      minimumScale: () => 0.5,
    });
    expect(Math.min(...scales)).toBe(0.5);
  });
});

describe('pair-safe weights', () => {
  const sums = (codes: Int8Array, distance: number, inputs: number, step: number): number[] => {
    const found: number[] = [];
    for (let position = 0; position < distance; position++) {
      for (let input = 0; input + 1 < inputs; input += step) {
        const a = codes[input * distance + position] as number;
        const b = codes[(input + 1) * distance + position] as number;
        found.push(Math.max(0, a) + Math.max(0, b), -(Math.min(0, a) + Math.min(0, b)));
      }
    }
    return found;
  };

  it('no pair of products can leave int16', () => {
    const weight = Float32Array.from({ length: 8 * 9 }, () => random.float() * 2 - 1);
    const view = channelView([1, 8, 3, 3], 0, true);
    const { codes } = quantizeWeight(weight, view, { scale: 'least-squares', pairSafe: true });
    expect(Math.max(...sums(codes, 9, 8, 2)) * 255).toBeLessThanOrEqual(32767);
  });

  it('with an odd number of inputs every neighbour is safe', () => {
    const weight = Float32Array.from({ length: 7 }, () => random.float() * 2 - 1);
    const { codes } = quantizeWeight(weight, channelView([1, 7], 0, true), { scale: 'max', pairSafe: true });
    expect(Math.max(...sums(codes, 1, 7, 1)) * 255).toBeLessThanOrEqual(32767);
  });

  it('loses less than 7-bit weights on bell-shaped rows', () => {
    const weight = gaussian(32 * 576);
    const view = channelView([32, 576], 0, true);
    const safe = relativeError(weight, quantizeWeight(weight, view, { scale: 'least-squares', pairSafe: true }), view);
    // compression.md 2.3: 8-bit .0075, 7-bit .0149, pair-safe .0124.
    expect(safe).toBeLessThan(0.0135);
  });
});
