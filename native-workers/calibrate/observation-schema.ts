/** Observations as JSON, for keeping them on disk: arrays of numbers as the base64 of their little-endian bytes. */
import { z } from 'zod';
import { BINS, Histogram } from './histogram.ts';
import type { Observation } from './observation.ts';

type NumberArray = Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer> | Int8Array<ArrayBuffer>;

/** Base64 and back; text whose bytes are no whole number of elements is refused. */
export function arraySchema<Numbers extends NumberArray>(type: {
  new (buffer: ArrayBuffer): Numbers;
  readonly BYTES_PER_ELEMENT: number;
}): z.ZodType<Numbers> {
  return z.codec(
    z.base64().refine((text) => Buffer.byteLength(text, 'base64') % type.BYTES_PER_ELEMENT === 0),
    z.custom<Numbers>((value) => value instanceof type),
    {
      decode: (text) => new type(Uint8Array.from(Buffer.from(text, 'base64')).buffer),
      encode: ({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength).toString('base64'),
    },
  );
}

const rangeSchema = z.strictObject({ min: z.number(), max: z.number() });

/** `range`: what the histogram covers. */
const histogramSchema = z.codec(
  z.strictObject({ range: rangeSchema, counts: arraySchema(Float64Array), zeros: z.number(), total: z.number() }),
  z.instanceof(Histogram),
  {
    decode: ({ range, counts, zeros, total }) => {
      const histogram = new Histogram();
      histogram.cover(range);
      histogram.counts.set(counts.subarray(0, BINS));
      return Object.assign(histogram, { zeros, total });
    },
    encode: ({ range, counts, zeros, total }) => ({ range, counts: Float64Array.from(counts), zeros, total }),
  },
);

export const observationSchema: z.ZodType<Observation> = z.strictObject({
  range: rangeSchema,
  average: rangeSchema,
  histogram: histogramSchema.nullable(),
  channels: z
    .strictObject({
      mean: arraySchema(Float32Array),
      meanSquare: arraySchema(Float32Array).nullable(),
      absMax: arraySchema(Float32Array),
    })
    .nullable(),
  elements: z.number(),
  rows: z.number(),
  notFinite: z.number(),
});
