/** Why operators have no lowering, and what to do instead. One that is not named here is new or of another party. */
import { isFused } from '../../../graph/expand-fused.ts';
import type { Node } from '../../../graph/node.ts';

const STRINGS = 'Core ML computes with numbers only: process texts in the app, before the model';
export const SEQUENCES = 'Core ML has no sequences and optional values: give each tensor an input or output of its own';
const TREES =
  'of classic models Hone writes out trees that are added up (not too many, with numbers as results): convert others with the tool that trained them';
const LOOPS =
  'Hone writes out control flow, and this depends on data, on open sizes or is too long: unroll or choose when exporting';
const FOURIER = 'its length, axis or step is computed, or it is an inverse of one side: export it with constants';
const FUSED =
  'Hone writes out fused operators, and this form of it (packed operands, a cache whose length is computed, open sizes, outputs for training) it does not: save the model without fusions, or with fixed sizes';
const RANDOM = 'results that are drawn at random cannot be checked: draw them in the app and give them as an input';

const BY_TYPE: Readonly<Record<string, string>> = {
  StringConcat: STRINGS,
  StringSplit: STRINGS,
  StringNormalizer: STRINGS,
  RegexFullMatch: STRINGS,
  TfIdfVectorizer: STRINGS,
  'ai.onnx.ml:LabelEncoder': TREES,
  'ai.onnx.ml:TreeEnsembleClassifier': TREES,
  If: LOOPS,
  Loop: LOOPS,
  Scan: LOOPS,
  DFT: FOURIER,
  STFT: FOURIER,
  RandomNormal: RANDOM,
  RandomNormalLike: RANDOM,
  RandomUniform: RANDOM,
  RandomUniformLike: RANDOM,
  Multinomial: RANDOM,
  Bernoulli: RANDOM,
};

export function reasonWithoutLowering(node: Node): string {
  const type = node.domain === '' ? node.opType : `${node.domain}:${node.opType}`;
  const known = BY_TYPE[type];
  if (known !== undefined) return known;
  if (/^(Sequence|Optional|SplitToSequence|ConcatFromSequence)/.test(node.opType)) return SEQUENCES;
  if (node.domain.startsWith('ai.onnx.ml')) return TREES;
  if (isFused(node)) return FUSED;
  return node.domain === ''
    ? 'Hone has no way to say this operator in MIL: cut the model before it, or replace it when exporting'
    : 'Hone does not know this operator of another party: export the model with plain ONNX operators';
}
