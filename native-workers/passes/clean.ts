/**
 * The clean-up that every recipe starts with: constants are folded, no-ops, dead code and duplicates removed, batch
 * normalization is folded. It runs the small passes of this folder in turn until none finds anything more.
 *
 * Notes
 * - All of them give the same answers as before, up to the last bit or (batch normalization) up to rounding.
 * - What is left to the engine, because it does it at every load and quite as well: MatMul+Add to Gemm, common subexpressions,
 *   moving transposes, and every fusion into a kernel of its own.
 * - Nodes before, after this pass, and after ONNX Runtime's level `basic`: langid-bert 356, 246, 198; tiny-llama 1056, 592, 458;
 *   glyphs-resnet 71, 48, 48; glyphs-mobilenetv2 183, 82, 82 (test/bench/results/passes.md). The rest of `basic` is the list
 *   above, which costs milliseconds at load; run on the cleaned model it ends at the same counts.
 * - Models below IR version 4 list their weights as inputs. They are raised to version 4 and the weights taken off the list:
 *   callers never could pass them in ONNX Runtime, and new constants need no entry then.
 */
import { z } from 'zod';
import type { Model } from '../graph/model.ts';
import { allGraphs, Counter } from './edit.ts';
import { foldBatchNorms } from './fold-batch-norm.ts';
import { FOLD_CONSTANTS_DEFAULTS, foldAllConstants } from './fold-constants.ts';
import { definePass, type PassNote } from './pass.ts';
import { removeDeadParts } from './remove-dead-code.ts';
import { removeIdentities } from './remove-identity.ts';
import { SHARE_WEIGHTS_DEFAULTS, shareInGraph } from './share-weights.ts';

export interface CleanOptions {
  /** Computes what depends on constants alone. */
  readonly foldConstants: boolean;
  /** Merges batch normalization into the layer beside it. */
  readonly foldBatchNorm: boolean;
  /** Stores equal weights once. */
  readonly shareWeights: boolean;
  /** Largest folded result that may be stored where it frees less than it takes, in bytes; 0 or more. */
  readonly maxConstantBytes: number;
}

export const CLEAN_DEFAULTS: CleanOptions = {
  foldConstants: true,
  foldBatchNorm: true,
  shareWeights: true,
  maxConstantBytes: FOLD_CONSTANTS_DEFAULTS.maxBytes,
};

const optionsSchema = z.strictObject({
  foldConstants: z.boolean().describe('Computes what depends on constants alone.'),
  foldBatchNorm: z.boolean().describe('Merges batch normalization into the layer beside it.'),
  shareWeights: z.boolean().describe('Stores equal weights once.'),
  maxConstantBytes: z
    .number()
    .int()
    .min(0)
    .describe('Largest folded result that may be stored where it frees less than it takes, in bytes.'),
});

/** One pass can open the way for another, but real chains are short. */
const MAX_ROUNDS = 8;

export const clean = definePass<CleanOptions>(
  {
    id: 'clean',
    title: 'Clean up',
    summary: 'Folds constants and batch normalization, removes dead code, no-ops and duplicate weights.',
    family: 'clean',
    lossy: false,
    needs: ['engine'],
  },
  CLEAN_DEFAULTS,
  optionsSchema,
  async (model, options, context) => {
    const counts = new Counter();
    let notes: PassNote[] = [];
    if (listWeightsAsConstants(model)) counts.add('IR version raised to 4');
    for (let round = 0, before = -1; counts.total > before && round < MAX_ROUNDS; round++) {
      before = counts.total;
      // What could not be done is noted once, as it stands in the last round.
      notes = [];
      if (options.foldConstants) {
        await foldAllConstants(model, { maxBytes: options.maxConstantBytes }, context, counts, notes);
      }
      await removeIdentities(model, context, counts);
      if (options.foldBatchNorm) await foldBatchNorms(model, context, counts, notes);
      removeDeadParts(model, counts);
    }
    if (options.shareWeights) {
      for (const graph of allGraphs(model.graph)) {
        await shareInGraph(graph, SHARE_WEIGHTS_DEFAULTS, context, counts, notes);
      }
    }
    if (counts.total === 0) return { status: 'unchanged', reason: 'There is nothing to clean up.', notes };
    return { status: 'changed', counts: counts.counts, notes };
  },
);

/** Takes the weights of an old model off its list of inputs; returns whether there were any. */
export function listWeightsAsConstants(model: Model): boolean {
  if (model.irVersion >= 4) return false;
  const { inputs, initializers } = model.graph;
  const kept = inputs.filter((input) => !initializers.has(input));
  inputs.splice(0, inputs.length, ...kept);
  model.irVersion = 4;
  return true;
}
