/**
 * What a quantized model loses on x86 processors without VNNI, emulated when it was quantized. The instruction of these
 * processors adds two products of 8-bit numbers in 16 bits, and cuts the sum off at 32767; VNNI's adds in 32 bits.
 */
import { z } from 'zod';
import { wilsonInterval } from '../../metrics/statistics.ts';
import type { Environment } from '../../protocol/facts.ts';
import { intervalSchema } from '../../protocol/facts.ts';
import { absenceOf } from '../input.ts';
import { measured, notApplicable, notMeasured } from '../outcome.ts';
import { defineSection } from '../section.ts';

export const saturationSchema = z.strictObject({
  /** Title of the pass that quantized and emulated. */
  title: z.string(),
  /** Samples of the calibration data that were emulated. */
  samples: z.number(),
  /**
   * Share of the answers that stay the same, with the interval that this number of samples allows; null where no output is a
   * row of scores. What is lost of a share of right answers is at most what is missing to 1.
   */
  agreement: z.strictObject({ share: z.number(), interval: intervalSchema }).nullable(),
  /** Change of the outputs: KL in nats where they are scores, else error over power. */
  change: z.number(),
  /** `none`: nothing saturated. `small` and `large`: whether it is worth to do something. */
  verdict: z.enum(['none', 'small', 'large']),
  /** Layers in which sums were cut off, the largest error first. Shares. */
  layers: z.array(
    z.strictObject({
      node: z.string(),
      /** Pairs of products whose sum was cut off, of all pairs. */
      share: z.number(),
      /** Norm of what was cut off over the norm of the layer's output. */
      error: z.number(),
    }),
  ),
  /** Layers that the emulation does not cover. */
  left: z.array(z.string()),
  /** Whether the machine of this run has the loss itself: then the accuracy measured on it holds the loss already. */
  machine: z.enum(['affected', 'safe', 'unknown']),
});
export type SaturationSection = z.infer<typeof saturationSchema>;

/** Below this agreement, or above this change of the outputs, something should be done. */
const GOOD_AGREEMENT = 0.99;
const SMALL_CHANGE = 0.01;

/** As `passes/quantization/saturation.ts` writes it into the details of a pass. */
const foundSchema = z.union([
  z.object({ safe: z.boolean(), reason: z.string() }),
  z.object({
    samples: z.number(),
    agreement: z.number().nullable(),
    change: z.number(),
    layers: saturationSchema.shape.layers,
    left: z.array(z.string()),
  }),
]);

export const saturation = defineSection(saturationSchema, (input) => {
  const { optimize, benchmark } = input.facts;
  if (optimize === null) return absenceOf('optimize', input);
  const row = optimize.passes.findLast(({ details }) => details?.['saturation'] !== undefined);
  const found = foundSchema.safeParse(row?.details?.['saturation']).data;
  if (row === undefined || found === undefined)
    return notApplicable('No pass quantized weights and activations with ranges fixed beforehand.');
  if ('reason' in found) return found.safe ? notApplicable(found.reason) : notMeasured(found.reason);
  const { samples, agreement, change, layers, left } = found;
  return measured({
    title: row.title,
    samples,
    agreement:
      agreement === null
        ? null
        : { share: agreement, interval: wilsonInterval(Math.round(agreement * samples), samples) },
    change,
    verdict: verdictOf(found),
    layers,
    left,
    machine: machineOf(benchmark?.environment ?? input.manifest.environment),
  });
});

function verdictOf({
  agreement,
  change,
  layers,
}: Pick<SaturationSection, 'change'> & {
  readonly agreement: number | null;
  readonly layers: readonly unknown[];
}): SaturationSection['verdict'] {
  if (layers.length === 0) return 'none';
  return (agreement ?? 1) >= GOOD_AGREEMENT && change <= SMALL_CHANGE ? 'small' : 'large';
}

/** VNNI comes with AVX-512 or without; AMX and the dot products of ARM add in 32 bits as well. */
function machineOf(environment: Environment | null): SaturationSection['machine'] {
  const features = new Set(environment?.features);
  if (['avx512_vnni', 'avx_vnni', 'amx_int8', 'neon'].some((feature) => features.has(feature))) return 'safe';
  return features.has('avx2') ? 'affected' : 'unknown';
}
