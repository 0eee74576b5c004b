import { expect, it } from 'vitest';
import { peakMemory } from '../../../native-workers/lib/peak-memory.ts';

it('is at least what is in use, and grows with it', () => {
  const before = peakMemory();
  expect(before).toBeGreaterThan(10e6);
  const ballast = new Uint8Array(200e6).fill(1);
  expect(peakMemory()).toBeGreaterThanOrEqual(process.memoryUsage().rss * 0.95);
  expect(peakMemory() - before).toBeGreaterThan(50e6);
  expect(ballast[ballast.length - 1]).toBe(1);
});
