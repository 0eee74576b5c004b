/** How near the outputs of the optimised model are to those of the original, on the same inputs, without labels. */
import { z } from 'zod';
import { wilsonInterval } from '../../metrics/statistics.ts';
import { type FidelityFacts, fidelityFactsSchema, intervalSchema } from '../../protocol/facts.ts';
import { absenceOf } from '../input.ts';
import { measured, notMeasured } from '../outcome.ts';
import { defineSection } from '../section.ts';

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
    /** 95 % interval (Wilson) of the agreement of the output that agrees least. */
    agreementInterval: intervalSchema.nullable(),
    notFinite: z.number(),
  }),
});
export type FidelitySection = z.infer<typeof fidelitySchema>;

export const fidelity = defineSection(fidelitySchema, (input) => {
  const { evaluate } = input.facts;
  if (evaluate === null) return absenceOf('evaluate', input);
  if (evaluate.fidelity === null) return notMeasured('The outputs of the two models were not compared.');
  const { samples, inputs, outputs } = evaluate.fidelity;
  return measured({
    samples,
    inputs,
    outputs,
    worst: {
      cosine: worstOf(
        outputs.map((output) => output.cosine),
        Math.min,
      ),
      sqnrDb: worstOf(
        outputs.map((output) => output.sqnrDb),
        Math.min,
      ),
      maxAbs: worstOf(
        outputs.map((output) => output.maxAbs),
        Math.max,
      ),
      top1Agreement: worstOf(
        outputs.map((output) => output.top1Agreement),
        Math.min,
      ),
      agreementInterval: agreementInterval(outputs, samples),
      notFinite: outputs.reduce((sum, output) => sum + output.notFinite, 0),
    },
  });
});

function agreementInterval(
  outputs: FidelityFacts['outputs'],
  samples: number,
): FidelitySection['worst']['agreementInterval'] {
  const shares = outputs.flatMap(({ top1Agreement: share, answers = samples }) =>
    share === null ? [] : [{ share, answers }],
  );
  if (shares.length === 0) return null;
  const { share, answers } = shares.reduce((least, other) => (other.share < least.share ? other : least));
  return wilsonInterval(Math.round(share * answers), answers);
}

function worstOf(values: readonly (number | null)[], pick: (...values: number[]) => number): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : pick(...known);
}
