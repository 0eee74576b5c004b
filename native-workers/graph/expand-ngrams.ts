/**
 * TfIdfVectorizer on numbers as comparisons: every run of elements of the input with every n-gram of the pool. Source: onnx
 * Operators.md, TfIdfVectorizer. Texts stay as they are.
 */
import type { Model } from './model.ts';
import type { Node } from './node.ts';
import { NodeBuilder } from './node-builder.ts';
import { tensorFromInt64, tensorFromNumbers } from './tensor-values.ts';
import { staticShape, type TensorType, type ValueType } from './types.ts';
import type { Value } from './value.ts';

/** Comparisons of one kind of run: more would not fit a device. */
const MOST_COMPARISONS = 1 << 24;

/** Rewrites the main graph; `types` know the shapes of the inputs. Returns how many nodes were rewritten. */
export function expandNgrams(model: Model, types: ReadonlyMap<Value, ValueType>): number {
  let count = 0;
  for (const node of [...model.graph.nodes]) {
    const [x] = node.inputs;
    const [output] = node.outputs;
    if (!node.is('TfIdfVectorizer') || !x || !output) continue;
    const type = types.get(x) ?? x.type;
    const made = type?.kind === 'tensor' ? counted(node, x, type, new NodeBuilder(model, node.label)) : null;
    if (made === null) continue;
    model.graph.replaceValue(output, made);
    model.graph.removeNode(node);
    count++;
  }
  return count;
}

/** The n-grams of one length, with where the first of them stands among all. */
interface Level {
  readonly length: number;
  readonly first: number;
  readonly grams: readonly (readonly number[])[];
}

/** The pool holds the n-grams of length 1, then those of length 2, ...; `ngram_counts` says where each length begins. */
function levelsOf(node: Node): Level[] {
  const pool = node.ints('pool_int64s') ?? [];
  const starts = node.ints('ngram_counts') ?? [];
  let first = 0;
  return starts.map((start, index): Level => {
    const length = index + 1;
    const count = ((starts[index + 1] ?? pool.length) - start) / length;
    const grams = Array.from({ length: count }, (_, at) => pool.slice(start + at * length, start + (at + 1) * length));
    const level = { length, first, grams };
    first += count;
    return level;
  });
}

function counted(node: Node, x: Value, type: TensorType, build: NodeBuilder): Value | null {
  const shape = staticShape(type);
  const { dtype } = type;
  if (shape === null || (dtype !== 'int32' && dtype !== 'int64') || node.attributes.has('pool_strings')) return null;
  const [batch = 1, size = 0] = shape.length === 1 ? [1, ...shape] : shape;
  const [least, most] = [node.int('min_gram_length', 1), node.int('max_gram_length', 1)];
  const used = levelsOf(node).filter(({ length, grams }) => length >= least && length <= most && grams.length > 0);
  if (used.some(({ grams }) => grams.length * size * batch > MOST_COMPARISONS)) return null;
  const rows = shape.length === 1 ? build.reshape(x, [1, -1]) : x;
  // Each n-gram's column among those that are counted, and where it goes in the result.
  const columns: Value[] = [];
  const indexes = node.ints('ngram_indexes') ?? [];
  const width = Math.max(...indexes, -1) + 1;
  const places = Array<number>(width).fill(-1);
  let at = 0;
  for (const level of used) {
    const sum = occurrences(build, rows, level, dtype, size, level.length === 1 ? 0 : node.int('max_skip_count', 0));
    if (sum === null) continue;
    columns.push(sum);
    level.grams.forEach((_, index) => {
      places[indexes[level.first + index] ?? 0] = at++;
    });
  }
  // What no n-gram counts takes a column of zeros.
  const zeros = build.constant(tensorFromNumbers('float32', Array<number>(batch).fill(0), [batch, 1]), 'zeros');
  const all = build.concat([...columns, zeros], 1);
  const order = tensorFromInt64(
    places.map((place) => (place < 0 ? at : place)),
    [width],
  );
  const made = weighted(node, build, build.gather(all, order, 1, 'counts'), indexes);
  return shape.length === 1 ? build.reshape(made, [-1]) : made;
}

/** [batch, n-grams]: how often each occurs, with 0 to `skips` elements left out between its own. */
function occurrences(
  build: NodeBuilder,
  rows: Value,
  { length, grams }: Level,
  dtype: 'int32' | 'int64',
  size: number,
  skips: number,
): Value | null {
  let sum: Value | null = null;
  for (let skip = 0; skip <= skips; skip++) {
    const step = skip + 1;
    const runs = size - (length - 1) * step;
    if (runs < 1) break;
    let isMatch: Value | null = null;
    for (let element = 0; element < length; element++) {
      const from = Array.from({ length: runs }, (_, at) => at + element * step);
      const own = build.unsqueeze(build.gather(rows, tensorFromInt64(from, [runs]), 1, 'run'), [2]);
      const wanted = grams.map((gram) => gram[element] ?? 0);
      const pool = build.constant(tensorFromNumbers(dtype, wanted, [1, 1, grams.length]), 'pool');
      const isSame = build.add('Equal', [own, pool], 'same');
      isMatch = isMatch === null ? isSame : build.add('And', [isMatch, isSame], 'match');
    }
    if (isMatch === null) break;
    // A row of ones times the matches adds them up.
    const ones = build.constant(tensorFromNumbers('float32', Array<number>(runs).fill(1), [1, runs]), 'ones');
    const count = build.reshape(build.add('MatMul', [ones, build.cast(isMatch, 'float32')], 'count'), [0, -1]);
    sum = sum === null ? count : build.add('Add', [sum, count], 'sum');
  }
  return sum;
}

/** TF gives counts, IDF the weights of what occurs, TFIDF their products. Weights are in the order of the n-grams. */
function weighted(node: Node, build: NodeBuilder, counts: Value, indexes: readonly number[]): Value {
  const mode = node.string('mode', 'TF');
  const weights = node.floats('weights');
  const zero = build.number('float32', 0);
  const values = mode === 'IDF' ? build.cast(build.add('Greater', [counts, zero], 'occurs'), 'float32') : counts;
  if (mode === 'TF' || weights === null) return values;
  const factors = Array<number>(Math.max(...indexes) + 1).fill(1);
  weights.forEach((weight, index) => {
    factors[indexes[index] ?? 0] = weight;
  });
  const factor = build.constant(tensorFromNumbers('float32', factors, [1, factors.length]), 'weights');
  return build.add('Mul', [values, factor], 'weighted');
}
