/** `hone inspect`: the structure of a model as facts, from its graph alone. Weights are read only to tell equal ones apart. */
import { statSync } from 'node:fs';
import { basename } from 'node:path';
import type { InspectFacts } from '../protocol/facts.ts';
import { notesOf } from './inspect-notes.ts';
import { quantizationOf, quantizationText } from './inspect-quantization.ts';
import { findDuplicates, parameterCount, userOf, type Weight, weightsOf } from './inspect-weights.ts';
import { countMacs, type MacCount } from './macs.ts';
import type { Model } from './model.ts';
import { FileData } from './tensor-data.ts';
import { staticShape, type ValueType } from './types.ts';
import type { Value } from './value.ts';

const MOST_TENSORS = 200;
/** Of weights read to compare those that begin alike: a fraction of a second. */
const COMPARED_BYTES = 256 << 20;

/** The result of counting multiply-accumulates, or why there is none. */
export type MacResult = MacCount | { readonly reason: string };

/**
 * Counts from the types that the model itself records, symbolic dimensions taken as 1. Exact when every symbol stands for a
 * dimension of an input; an expression of several (`batch*heads`) is 1 as well.
 */
export function macsFromRecordedTypes(model: Model): MacCount {
  return countMacs(model.graph, (value) => recordedShape(value));
}

function recordedShape(value: Value): readonly number[] | null {
  if (value.tensor !== null) return value.tensor.shape;
  const { type } = value;
  if (type?.kind !== 'tensor' || type.shape === null || type.shape.includes(null)) return null;
  return type.shape.map((dim) => (typeof dim === 'number' ? dim : 1));
}

/** True when the recorded types leave nothing open: only numbers and the inputs' own symbols. */
export function recordsAllShapes(model: Model): boolean {
  const symbols = new Set<string>();
  for (const { type } of model.graph.inputs) {
    if (type?.kind === 'tensor') for (const dim of type.shape ?? []) if (typeof dim === 'string') symbols.add(dim);
  }
  const isKnown = (value: Value): boolean => {
    const { type } = value;
    if (type?.kind !== 'tensor') return type !== null;
    return type.shape?.every((dim) => (typeof dim === 'string' ? symbols.has(dim) : dim !== null)) ?? false;
  };
  const { graph } = model;
  if (model.functions.length > 0) return false;
  for (const node of graph.allNodes())
    for (const output of node.outputs) if (output !== null && !isKnown(output)) return false;
  return true;
}

/** The facts of a model that was opened from a file. `macs`: counted by the caller, who may have an engine to infer shapes. */
export function inspectFacts(model: Model, macs: MacResult): InspectFacts {
  const { graph } = model;
  const weights = weightsOf(model).sort((a, b) => b.tensor.bytes - a.tensor.bytes);
  const duplicates = findDuplicates(weights, COMPARED_BYTES);
  const external = externalFiles(model);
  const quantization = quantizationText(quantizationOf(model));
  const operators: Record<string, number> = {};
  let nodes = 0;
  for (const { domain, opType } of graph.allNodes()) {
    const name = domain === '' ? opType : `${domain}:${opType}`;
    operators[name] = (operators[name] ?? 0) + 1;
    nodes++;
  }
  const weightBytes = storedBytes(weights);
  const counted = 'reason' in macs ? null : macs;
  const notes = notesOf({
    model,
    weights,
    duplicates,
    macs: counted,
    macsReason: macsReason(macs),
    quantization,
    externalFiles: [...external.keys()].map((path) => basename(path)),
  });
  return {
    format: model.source?.format ?? 'onnx',
    producer: [model.producerName, model.producerVersion].filter((part) => part !== '').join(' '),
    opsets: Object.fromEntries(model.opsets),
    irVersion: model.irVersion,
    inputs: graph.inputs.filter((input) => !input.isConstant).map(valueFacts),
    outputs: graph.outputs.map(valueFacts),
    nodes,
    operators,
    parameters: parameterCount(weights),
    bytes: { total: (model.source?.bytes ?? weightBytes) + sum(external.values()), weights: weightBytes },
    macs: counted?.macs ?? null,
    precision: bytesBy(weights, ({ tensor }) => tensor.dtype),
    quantized: quantization !== null,
    quantization,
    externalData: external.size > 0,
    notes,
    tensors: weights.slice(0, MOST_TENSORS).map((weight) => {
      const original = duplicates.of.get(weight);
      return {
        name: weight.name,
        dtype: weight.tensor.dtype,
        shape: [...weight.tensor.shape],
        bytes: weight.tensor.bytes,
        usedBy: weight.readers.slice(0, 20).map((reader) => reader.label),
        ...(original === undefined ? {} : { duplicateOf: original.name }),
      };
    }),
    bytesByOperator: bytesBy(weights, (weight) => userOf(weight)?.opType ?? '(unused)'),
  };
}

function macsReason(macs: MacResult): string | null {
  if ('reason' in macs) return `Multiply-accumulates are not counted: ${macs.reason}`;
  if (macs.macs !== null) return null;
  return `Multiply-accumulates are not counted: the shapes around ${macs.unknown?.label ?? 'a node'} are not known.`;
}

const sum = (numbers: Iterable<number>): number => [...numbers].reduce((total, each) => total + each, 0);

/** The files that weights are in besides the model's own, in the order of first use, with their sizes. */
export function externalFiles(model: Model): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const { tensor } of weightsOf(model)) {
    if (!(tensor.data instanceof FileData) || tensor.data.path === model.source?.path) continue;
    if (!sizes.has(tensor.data.path)) sizes.set(tensor.data.path, statSync(tensor.data.path).size);
  }
  return sizes;
}

/** Bytes of the weights, those that share a place in a file counted once. */
function storedBytes(weights: readonly Weight[]): number {
  return sum(Object.values(bytesBy(weights, () => 'all')));
}

function bytesBy(weights: readonly Weight[], keyOf: (weight: Weight) => string): Record<string, number> {
  const bytes: Record<string, number> = {};
  const seen = new Set<string>();
  for (const weight of weights) {
    const { data } = weight.tensor;
    if (data instanceof FileData) {
      const place = `${data.offset} ${data.path}`;
      if (seen.has(place)) continue;
      seen.add(place);
    }
    const key = keyOf(weight);
    bytes[key] = (bytes[key] ?? 0) + weight.tensor.bytes;
  }
  return bytes;
}

function valueFacts({ name, type }: Value): InspectFacts['inputs'][number] {
  return { name, dtype: typeText(type), shape: shapeOf(type) };
}

function shapeOf(type: ValueType | null): (number | string | null)[] {
  if (type === null || (type.kind !== 'tensor' && type.kind !== 'sparse')) return [];
  return [...(staticShape(type) ?? type.shape ?? [])];
}

/** `float32`, `sequence(float32)`, `map(int64, float32)`; `unknown` where the model does not say. */
export function typeText(type: ValueType | null): string {
  if (type === null) return 'unknown';
  switch (type.kind) {
    case 'tensor':
      return type.dtype ?? 'unknown';
    case 'sparse':
      return `sparse(${type.dtype ?? 'unknown'})`;
    case 'sequence':
    case 'optional':
      return `${type.kind}(${typeText(type.element)})`;
    case 'map':
      return `map(${type.key ?? 'unknown'}, ${typeText(type.value)})`;
    case 'opaque':
      return 'unknown';
  }
}
