import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Histogram } from '../../../native-workers/calibrate/histogram.ts';
import { arraySchema, observationSchema } from '../../../native-workers/calibrate/observation-schema.ts';

const json = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe('observationSchema', () => {
  it('gives through JSON what was observed, to the bit', () => {
    const histogram = new Histogram();
    histogram.cover({ min: -1 / 3, max: Math.PI });
    histogram.add(Float32Array.from({ length: 999 }, (_, index) => Math.max(0, Math.sin(index) * 3)));
    const observation = {
      range: { min: -1 / 3, max: Math.PI },
      average: { min: -0.1, max: 1e-30 },
      histogram,
      channels: {
        mean: Float32Array.of(0.1, -0, 3e38),
        meanSquare: Float32Array.of(1, 2, 3),
        absMax: Float32Array.of(4, 5, 6),
      },
      elements: 12,
      rows: 3,
      notFinite: 1,
    };
    const kept = json(z.encode(observationSchema, observation));
    expect(z.decode(observationSchema, kept as never)).toEqual(observation);
    const without = { ...observation, histogram: null, channels: null };
    expect(z.decode(observationSchema, json(z.encode(observationSchema, without)) as never)).toEqual(without);
  });

  it('refuses bytes that are no whole number of elements', () => {
    const schema = arraySchema(Float32Array);
    expect(z.safeDecode(schema, Buffer.from([1, 2, 3, 4, 5]).toString('base64') as never).success).toBe(false);
    expect(z.safeDecode(schema, 'not base64!' as never).success).toBe(false);
  });
});
