/** How near the outputs of the optimised model are to those of the original, on the same inputs, without labels. */
import { z } from 'zod';
import { fidelityFactsSchema } from '../../protocol/facts.ts';

export const fidelitySchema = z.strictObject({
  samples: z.number(),
  /** `seeded`: random inputs from the run's seed, which are not like real ones. */
  inputs: z.enum(['user', 'seeded']),
  outputs: fidelityFactsSchema.shape.outputs,
  /** The worst value over all outputs; null where no output has one. cosine and agreement 0..1, SQNR in dB. */
  worst: z.strictObject({
    cosine: z.number().nullable(),
    sqnrDb: z.number().nullable(),
    maxAbs: z.number().nullable(),
    top1Agreement: z.number().nullable(),
    notFinite: z.number(),
  }),
});
export type FidelitySection = z.infer<typeof fidelitySchema>;
