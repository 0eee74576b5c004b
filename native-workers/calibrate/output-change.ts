/**
 * How much a candidate changed the outputs of a model, as one number that can be added up over samples: the Kullback-Leibler
 * divergence of the class distributions where an output is a row of scores, else the squared error over the reference's power.
 */
import type { Feeds, HostTensor } from '../lib/engine.ts';

/** The mean over all float outputs; 0 when nothing changed. `reference` and `candidate` hold the same names and shapes. */
export function outputChange(reference: Feeds, candidate: Feeds): number {
  let sum = 0;
  let count = 0;
  for (const [name, expected] of Object.entries(reference)) {
    const actual = candidate[name];
    if (!(expected.data instanceof Float32Array) || !(actual?.data instanceof Float32Array)) continue;
    sum += isScores(expected) ? divergence(expected, actual.data) : relativeError(expected.data, actual.data);
    count++;
  }
  return count === 0 ? 0 : sum / count;
}

/** A matrix or stack of rows whose last axis can be classes. */
function isScores(tensor: HostTensor): boolean {
  const classes = tensor.shape.at(-1) ?? 1;
  return classes > 1 && (tensor.shape.length === 2 || (tensor.shape.length === 3 && classes >= 100));
}

/** Rows compared of one output: a language model has thousands, whose mean an even sample tells as well. */
const MOST_ROWS = 128;
/** Logarithms of probabilities below this are cut off: what float32 makes of them is noise. */
const LEAST_LOG = -30;

/** Mean KL(reference || candidate) of the rows' softmax; rows that are distributions already are taken as they are. */
function divergence(expected: HostTensor, actual: Float32Array): number {
  const reference = expected.data as Float32Array;
  const classes = expected.shape.at(-1) ?? 1;
  const rows = reference.length / classes;
  const stride = Math.max(1, Math.ceil(rows / MOST_ROWS));
  const [p, q] = [new Float64Array(classes), new Float64Array(classes)];
  let sum = 0;
  let compared = 0;
  for (let row = 0; row < rows; row += stride) {
    compared++;
    logDistribution(reference, row * classes, p);
    logDistribution(actual, row * classes, q);
    for (let index = 0; index < classes; index++) {
      const logP = p[index] as number;
      if (logP > LEAST_LOG) sum += Math.exp(logP) * (logP - Math.max(q[index] as number, LEAST_LOG));
    }
  }
  return sum / Math.max(1, compared);
}

/** Fills `into` with the logarithms of the distribution that the scores from `start` on stand for. */
function logDistribution(scores: Float32Array, start: number, into: Float64Array): void {
  let largest = Number.NEGATIVE_INFINITY;
  let lowest = Number.POSITIVE_INFINITY;
  let total = 0;
  for (let index = 0; index < into.length; index++) {
    const score = scores[start + index] as number;
    if (score > largest) largest = score;
    if (score < lowest) lowest = score;
    total += score;
    into[index] = score;
  }
  if (lowest >= 0 && Math.abs(total - 1) < 1e-3) {
    for (let index = 0; index < into.length; index++) into[index] = Math.log(Math.max(into[index] as number, 1e-30));
    return;
  }
  let sum = 0;
  for (let index = 0; index < into.length; index++) sum += Math.exp((into[index] as number) - largest);
  const normalizer = largest + Math.log(sum);
  for (let index = 0; index < into.length; index++) into[index] = (into[index] as number) - normalizer;
}

function relativeError(reference: Float32Array, actual: Float32Array): number {
  let error = 0;
  let power = 0;
  for (let index = 0; index < reference.length; index++) {
    const expected = reference[index] as number;
    const difference = expected - (actual[index] as number);
    error += difference * difference;
    power += expected * expected;
  }
  return power === 0 ? error : error / power;
}
