/**
 * Next tokens of a causal language model: ids `[T]` in, scores of the vocabulary `[T,V]` out. Terms: negative log-likelihood
 * in nats of the tokens 1 to T-1, each given those before it, and their number. Tokens that the attention mask leaves out
 * do not count.
 */
import type { MetricSample } from '../metric.ts';
import type { BatchRows, Numbers } from '../rows.ts';
import type { FirstBatch, Question, Task } from './task.ts';

/** Fewer scores a token than this are labels of tokens and no vocabulary, where the size of the vocabulary is not known. */
const LEAST_VOCABULARY = 256;

/** By shapes alone, labels or not: whether the model is causal must be tried, see `isCausal`. */
export function findPerplexity({ outputs, inputs, idLimits }: FirstBatch): Task | null {
  const ids = idsOf(inputs);
  const tokens = ids === null ? null : inputs.row(ids, 0);
  if (ids === null || tokens === null) return null;
  const output = outputs.names.find((name) => {
    const row = outputs.row(name, 0);
    const [positions, vocabulary] = row?.shape ?? [];
    if (row?.shape.length !== 2 || vocabulary === undefined || !row.dtype.includes('float')) return false;
    return positions === tokens.values.length && vocabulary >= (idLimits[ids] ?? LEAST_VOCABULARY);
  });
  if (output === undefined) return null;
  return {
    name: 'perplexity',
    classes: null,
    // The text is the truth.
    check: () => undefined,
    answer: (rows, question) => answer(rows, output, ids, question),
  };
}

/** The input that holds token ids: `input_ids`, else the only whole-number input of one row a sample. */
export function idsOf(inputs: BatchRows): string | null {
  if (inputs.names.includes('input_ids')) return 'input_ids';
  const whole = inputs.names.filter((name) => {
    const row = inputs.row(name, 0);
    return row?.shape.length === 1 && /^u?int(32|64)$/.test(row.dtype);
  });
  return whole.length === 1 ? (whole[0] ?? null) : null;
}

function answer(outputs: BatchRows, output: string, ids: string, { inputs, index }: Question): MetricSample {
  const tokens = inputs.row(ids, index);
  const scores = outputs.row(output, index);
  const mask = inputs.row('attention_mask', index)?.values ?? null;
  if (tokens === null || scores === null) return { label: null, terms: [] };
  const vocabulary = scores.shape[1] as number;
  let loss = 0;
  let count = 0;
  for (let at = 1; at < tokens.values.length; at++) {
    if (mask !== null && (mask[at] === 0 || mask[at - 1] === 0)) continue;
    const row = scores.values.subarray((at - 1) * vocabulary, at * vocabulary);
    loss += logSumExp(row) - (row[tokens.values[at] as number] as number);
    count++;
  }
  return { label: null, terms: Number.isFinite(loss) && count > 0 ? [loss, count] : [] };
}

function logSumExp(values: Numbers): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (const value of values) if (value > largest) largest = value;
  let sum = 0;
  for (const value of values) sum += Math.exp(value - largest);
  return largest + Math.log(sum);
}

/**
 * Whether the scores of a position depend on the tokens up to it alone, tried out: `changed` are those of the same text with
 * another token at `at`. A masked model looks ahead, and its scores are no likelihoods of a text.
 */
export function isCausal(scores: Numbers, changed: Numbers, positions: number, at: number): boolean {
  const earlier = (scores.length / positions) * at;
  let largest = 0;
  let difference = 0;
  for (let index = 0; index < earlier; index++) {
    const value = scores[index] as number;
    largest = Math.max(largest, Math.abs(value));
    difference = Math.max(difference, Math.abs(value - (changed[index] as number)));
  }
  return difference <= 1e-3 * largest;
}
