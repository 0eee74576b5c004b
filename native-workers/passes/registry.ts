/** Every pass, in the order in which lists show them. A new pass: its file, its test, and its line here. */
import { HoneError } from '../protocol/errors.ts';
import { clean } from './clean.ts';
import { equalizeChannels } from './equalize-channels.ts';
import { float16 } from './float16.ts';
import { foldBatchNorm } from './fold-batch-norm.ts';
import { foldConstants } from './fold-constants.ts';
import type { Pass } from './pass.ts';
import { quantizeDynamic } from './quantize-dynamic.ts';
import { quantizeSearch } from './quantize-search.ts';
import { quantizeStatic } from './quantize-static.ts';
import { quantizeWeightsInt8 } from './quantize-weights-int8.ts';
import { removeDeadCode } from './remove-dead-code.ts';
import { removeIdentity } from './remove-identity.ts';
import { shareWeights } from './share-weights.ts';

export const PASSES: readonly Pass[] = [
  clean,
  foldConstants,
  foldBatchNorm,
  removeIdentity,
  removeDeadCode,
  shareWeights,
  float16,
  equalizeChannels,
  quantizeDynamic,
  quantizeStatic,
  quantizeSearch,
  quantizeWeightsInt8,
];

/** Throws `unknown-pass`. */
export function findPass(id: string): Pass {
  const pass = PASSES.find((each) => each.id === id);
  if (pass === undefined) {
    const known = PASSES.map((each) => each.id).join(', ');
    throw new HoneError('unknown-pass', `There is no pass ${id}; the passes: ${known}.`);
  }
  return pass;
}
