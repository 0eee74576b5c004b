/** What a pass read of its calibration data: what it lacked is counted, so that nothing is lost in silence. */
import { z } from 'zod';

export const calibrationFactsSchema = z.strictObject({
  /** Those that were read. */
  samples: z.number(),
  /** Made up, and not the user's. */
  random: z.boolean(),
  /** Samples that could not be read, or that hold a number that is NaN or infinite: how many, and at most 100 of them. */
  skipped: z
    .strictObject({
      count: z.number(),
      listed: z.array(z.strictObject({ sample: z.string(), reason: z.string() })),
    })
    .optional(),
  /** Inputs that held one and the same number in all samples. */
  constant: z.array(z.string()).optional(),
  /** What was assumed of the data. */
  notes: z.array(z.strictObject({ code: z.string(), message: z.string() })).optional(),
});
export type CalibrationFacts = z.infer<typeof calibrationFactsSchema>;
