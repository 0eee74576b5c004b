/** SHA-256 of content: of one tensor, and of a whole model whatever file it came from. */
import { createHash, type Hash } from 'node:crypto';
import type { Attribute } from './attribute.ts';
import type { Graph } from './graph.ts';
import type { Model } from './model.ts';
import type { Node } from './node.ts';
import type { Tensor } from './tensor.ts';
import { topologicalOrder } from './traversal.ts';
import type { ValueType } from './types.ts';
import type { Value } from './value.ts';

const CHUNK = 8 << 20;

/** Hex digest of dtype, shape and bytes. Reads all bytes, in pieces. */
export function hashTensor(tensor: Tensor): string {
  const hash = createHash('sha256');
  addTensor(hash, tensor);
  return hash.digest('hex');
}

/**
 * Hex digest of what the model computes and is called: graphs, weights, names, types, operator sets, functions, metadata.
 * The file's layout (order of fields, external data, typed or raw tensors), node names and doc strings do not count.
 */
export function hashModel(model: Model): string {
  const hash = createHash('sha256');
  const parts: unknown[] = [[...model.opsets].sort(), [...model.metadata].sort(), model.irVersion];
  addJson(hash, parts);
  addGraph(hash, model.graph);
  for (const each of model.functions) {
    addJson(hash, [each.domain, each.name, each.overload, each.attributes, [...each.opsets].sort()]);
    for (const [name, attribute] of each.attributeDefaults) addAttribute(hash, name, attribute);
    addGraph(hash, each.body);
  }
  addBytes(hash, model.opaqueFields);
  return hash.digest('hex');
}

function addGraph(hash: Hash, graph: Graph): void {
  addJson(hash, ['graph', graph.inputs.map(typed), graph.outputs.map(typed)]);
  for (const { name, tensor } of graph.initializers) {
    addJson(hash, name);
    if (tensor !== null) addTensor(hash, tensor);
  }
  for (const [{ name }, bytes] of graph.sparseInitializers) {
    addJson(hash, name);
    addBytes(hash, bytes);
  }
  for (const node of topologicalOrder(graph)) addNode(hash, node);
  addBytes(hash, graph.opaqueFields);
}

function addNode(hash: Hash, node: Node): void {
  const names = (values: readonly (Value | null)[]): string[] => values.map((value) => value?.name ?? '');
  addJson(hash, [node.domain, node.opType, node.overload, names(node.inputs), names(node.outputs)]);
  for (const [name, attribute] of [...node.attributes].sort(([a], [b]) => (a < b ? -1 : 1))) {
    addAttribute(hash, name, attribute);
  }
  addBytes(hash, node.opaqueFields);
}

function addAttribute(hash: Hash, name: string, attribute: Attribute): void {
  addJson(hash, [name, attribute.type]);
  switch (attribute.type) {
    case 'tensor':
      addTensor(hash, attribute.value);
      return;
    case 'tensors':
      for (const tensor of attribute.value) addTensor(hash, tensor);
      return;
    case 'graph':
      addGraph(hash, attribute.value);
      return;
    case 'graphs':
      for (const graph of attribute.value) addGraph(hash, graph);
      return;
    case 'string':
    case 'opaque':
      addBytes(hash, attribute.value);
      return;
    case 'strings':
      for (const text of attribute.value) addBytes(hash, text);
      return;
    default:
      addJson(hash, attribute.value);
  }
}

function addTensor(hash: Hash, tensor: Tensor): void {
  addJson(hash, [tensor.dtype, tensor.shape]);
  for (const text of tensor.strings ?? []) addBytes(hash, text);
  for (const piece of tensor.data.chunks(CHUNK)) hash.update(piece);
}

/** Length and bytes, so that neighbours cannot run into each other. */
function addBytes(hash: Hash, bytes: Uint8Array | null): void {
  addJson(hash, bytes?.length ?? -1);
  if (bytes !== null) hash.update(bytes);
}

function addJson(hash: Hash, value: unknown): void {
  const text = JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part === 'bigint') return `${part}n`;
    if (part instanceof Uint8Array) return Buffer.from(part).toString('base64');
    if (typeof part === 'number' && (!Number.isFinite(part) || Object.is(part, -0)))
      return `number ${part < 0 ? '-' : ''}${part}`;
    return part;
  });
  hash.update(`${text}\n`);
}

const typed = (value: Value): readonly [string, ValueType | null] => [value.name, value.type];
