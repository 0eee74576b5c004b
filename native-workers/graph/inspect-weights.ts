/** Where the bytes of a model are: every constant tensor with who reads it, and which of them are the same. */
import { sameBytes } from '../lib/bytes.ts';
import type { Graph } from './graph.ts';
import type { Model } from './model.ts';
import type { Node } from './node.ts';
import type { Tensor, TensorData } from './tensor.ts';
import { FileData } from './tensor-data.ts';
import type { Value } from './value.ts';

export interface Weight {
  readonly name: string;
  readonly tensor: Tensor;
  /** In the order of the file. */
  readonly readers: readonly Node[];
  readonly source: 'initializer' | 'constant';
  readonly value: Value;
}

/** All constant tensors: initializers and the tensors of Constant nodes, of subgraphs too. */
export function weightsOf(model: Model): Weight[] {
  const weights: Weight[] = [];
  const collect = (graph: Graph): void => {
    for (const value of graph.initializers) {
      if (value.tensor !== null) weights.push(weightOf(value, value.tensor, 'initializer'));
    }
    for (const node of graph.nodes) {
      const output = node.outputs[0];
      const constant = node.is('Constant') ? node.attributes.get('value') : undefined;
      if (constant?.type === 'tensor' && output) weights.push(weightOf(output, constant.value, 'constant'));
      for (const subgraph of node.subgraphs()) collect(subgraph);
    }
  };
  collect(model.graph);
  for (const each of model.functions) collect(each.body);
  return weights;
}

function weightOf(value: Value, tensor: Tensor, source: Weight['source']): Weight {
  return { name: value.name, tensor, readers: [...value.consumers], source, value };
}

/** Operators that hand a weight on in another form: what reads their output is what uses the weight. */
const CARRIERS = new Set(['DequantizeLinear', 'Cast', 'Identity', 'Transpose', 'Reshape', 'Unsqueeze', 'Squeeze']);

/** The operator that a weight is for. */
export function userOf(weight: Weight): Node | null {
  let node = weight.readers[0] ?? null;
  for (let steps = 0; node !== null && CARRIERS.has(node.opType) && steps < 8; steps++) {
    const next: Node | undefined = node.outputs[0]?.consumers.values().next().value;
    if (next === undefined) break;
    node = next;
  }
  return node;
}

/**
 * Numbers that the model learned: elements of constants with at least one dimension, without shapes, indexes and flags
 * (int64, bool) and texts. Weights that are packed below a byte in uint8 are counted by their operator's sizes.
 */
export function parameterCount(weights: readonly Weight[]): number {
  let parameters = 0;
  for (const { tensor, readers } of weights) {
    if (tensor.shape.length === 0 || ['int64', 'bool', 'string'].includes(tensor.dtype)) continue;
    const packed = readers.find((reader) => reader.opType === 'MatMulNBits' && reader.inputs[1]?.tensor === tensor);
    parameters += packed === undefined ? tensor.size : packed.int('N', 0) * packed.int('K', 0);
  }
  return parameters;
}

export interface Duplicates {
  /** A weight and the earlier one with the same content. */
  readonly of: ReadonlyMap<Weight, Weight>;
  /** Bytes that need not be there: copies that do not share one place in a file already. */
  readonly wasted: number;
  /** False when the limit of bytes to read was reached and some were not compared. */
  readonly complete: boolean;
}

/** Smaller tensors are not worth a message, and models have thousands. */
const SMALLEST = 1024;
/** Looking at the first bytes opens a file: for so many weights, the largest. */
const MOST_SAMPLED = 20_000;
const SAMPLE = 4096;
const CHUNK = 1 << 20;

/**
 * Finds equal weights by comparing only what can be equal: same dtype, shape and first bytes. At most `limit` bytes are read
 * beyond the first of each. `weights` in the order in which the first of equals is to be the original.
 */
export function findDuplicates(weights: readonly Weight[], limit: number): Duplicates {
  const groups = new Map<string, Weight[]>();
  const candidates = weights.filter(({ tensor }) => tensor.strings === null && tensor.bytes >= SMALLEST);
  for (const weight of candidates.slice(0, MOST_SAMPLED)) {
    append(groups, `${weight.tensor.dtype} ${weight.tensor.shape.join(' ')}`, weight);
  }
  const of = new Map<Weight, Weight>();
  const budget = { left: limit };
  let wasted = 0;
  for (const group of groups.values()) {
    if (group.length < 2) continue;
    const alike = new Map<string, Weight[]>();
    for (const weight of group) append(alike, sampleOf(weight.tensor.data), weight);
    for (const equals of alike.values()) {
      const originals: Weight[] = [];
      for (const weight of equals) {
        const original = originals.find((other) => sameData(other.tensor.data, weight.tensor.data, budget));
        if (original === undefined) originals.push(weight);
        else {
          of.set(weight, original);
          if (!samePlace(original.tensor.data, weight.tensor.data)) wasted += weight.tensor.bytes;
        }
      }
    }
  }
  return { of, wasted, complete: budget.left > 0 && candidates.length <= MOST_SAMPLED };
}

function append<Key>(map: Map<Key, Weight[]>, key: Key, weight: Weight): void {
  const known = map.get(key);
  if (known === undefined) map.set(key, [weight]);
  else known.push(weight);
}

function sampleOf(data: TensorData): string {
  for (const piece of data.chunks(SAMPLE)) return Buffer.from(piece).toString('latin1');
  return '';
}

function samePlace(a: TensorData, b: TensorData): boolean {
  if (a === b) return true;
  return a instanceof FileData && b instanceof FileData && a.path === b.path && a.offset === b.offset;
}

function sameData(a: TensorData, b: TensorData, budget: { left: number }): boolean {
  if (samePlace(a, b)) return true;
  if (budget.left <= 0) return false;
  const others = b.chunks(CHUNK)[Symbol.iterator]();
  for (const piece of a.chunks(CHUNK)) {
    const other = others.next();
    budget.left -= piece.length;
    if (other.done === true || !sameBytes(piece, other.value) || budget.left <= 0) {
      others.return?.();
      return false;
    }
  }
  return true;
}
