/**
 * Types of the values inside a model, from the engine's own inference instead of a second copy of ONNX's rules. The engine tells
 * the types of a graph's outputs when it opens it, so it is given a copy in which every value is an output. That copy has no
 * weights: large initializers become inputs of their type, so that a model of any size is a small one here.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { cloneModel } from '../../graph/clone.ts';
import { byteLength, elementCount } from '../../graph/dtype.ts';
import type { Graph } from '../../graph/graph.ts';
import type { Model } from '../../graph/model.ts';
import type { Node } from '../../graph/node.ts';
import { toNumbers } from '../../graph/tensor-values.ts';
import { staticShape, type TensorType, tensorType, type ValueType } from '../../graph/types.ts';
import type { Value } from '../../graph/value.ts';
import type { Engine, ValueInfo } from '../../lib/engine.ts';
import { HoneError } from '../../protocol/errors.ts';
import { readOnnx } from './read.ts';
import { onnxBytes, onnxSize } from './write.ts';

/** Initializers up to here are kept: shapes, axes and such decide types. */
const KEPT = 16 << 10;
/** What is left after that must be structure; beyond this size it is not worth an engine's time. */
const LARGEST = 64 << 20;
/** The engine takes a time that grows with the square of the outputs: 2 s for 20,000 nodes, 4 minutes for 100,000. */
const MOST_NODES = 20_000;

export interface InferOptions {
  /**
   * 'ones' takes every symbolic or unknown dimension of the inputs as 1 and folds what is computed from shapes alone, so that
   * shapes come out as numbers; the model that comes back is then a simplified one. Default 'keep'.
   */
  readonly symbols?: 'keep' | 'ones';
}

/** A model with what the engine found out of its values. */
export interface InferredModel {
  /**
   * A model without weights that can be read, its functions inlined; simplified with 'ones', which changes no
   * multiply-accumulates.
   */
  readonly model: Model;
  /** Types by name of the value. Values inside subgraphs have the types that the file recorded, if any. */
  readonly types: ReadonlyMap<string, ValueType>;
}

/**
 * `scratch`: a folder for the engine's file, which is gone afterwards. Throws `tensor-too-large` when the structure alone is
 * beyond what this is for, and what the engine says of the model (`runtime-rejected-model`).
 */
export async function inferTypes(
  model: Model,
  engine: Engine,
  scratch: string,
  options: InferOptions = {},
): Promise<InferredModel> {
  if (model.graph.nodes.size > MOST_NODES) throw tooLarge();
  const symbols = options.symbols ?? 'keep';
  const weightless = withoutWeights(model, symbols);
  if (symbols === 'keep' && model.functions.length === 0) return typesOfAll(weightless, engine);
  const path = join(scratch, `plain-${process.pid}-${++files}.onnx`);
  try {
    // Opening a model replaces calls of functions by their bodies; the basic level folds shapes that are numbers.
    const optimization = symbols === 'ones' ? 'basic' : 'disabled';
    const session = await engine.open(sized(weightless), { optimization, optimizedModelPath: path });
    await session.release();
    return await typesOfAll(withoutWeights(readOnnx(path), 'keep'), engine);
  } finally {
    rmSync(path, { force: true });
  }
}
let files = 0;

/** Opens the model with every value as an output, whose types the engine tells. */
async function typesOfAll(model: Model, engine: Engine): Promise<InferredModel> {
  const { graph } = model;
  const interfaceOutputs = [...graph.outputs];
  const known = new Set(graph.outputs);
  for (const node of graph.nodes) {
    for (const output of node.outputs) if (output !== null && !known.has(output)) graph.outputs.push(output);
  }
  const session = await engine.open(sized(model), { optimization: 'disabled' });
  await session.release();
  const types = new Map<string, ValueType>();
  for (const value of graph.values()) if (value.type !== null) types.set(value.name, value.type);
  const ranked = await withoutUnknownRanks(model, session.outputs, engine);
  graph.outputs.splice(0, graph.outputs.length, ...interfaceOutputs);
  for (const { name, type } of ranked) types.set(name, type);
  for (const value of graph.values()) value.type = types.get(value.name) ?? value.type;
  return { model, types };
}

/**
 * The engine gives a value whose rank it does not know the shape of a scalar, []. A Shape node tells them apart: what it gives
 * has 0 elements for a scalar, and an unknown number of them for an unknown rank.
 */
async function withoutUnknownRanks(
  model: Model,
  outputs: readonly ValueInfo[],
  engine: Engine,
): Promise<readonly ValueInfo[]> {
  const unclear = new Set(outputs.flatMap(({ name, type }) => (seemsScalar(type) ? [name] : [])));
  if (unclear.size === 0) return outputs;
  const { graph } = model;
  const valueOfProbe = new Map<string, string>();
  const nodes: Node[] = [];
  for (const value of graph.outputs.filter(({ name }) => unclear.has(name))) {
    const shape = graph.createValue(`${value.name}_rank`);
    const node = graph.addNode({ opType: 'Shape', inputs: [value] });
    node.setOutput(0, shape);
    graph.outputs.push(shape);
    valueOfProbe.set(shape.name, value.name);
    nodes.push(node);
  }
  const session = await engine.open(sized(model), { optimization: 'disabled' });
  await session.release();
  graph.outputs.splice(graph.outputs.length - nodes.length, nodes.length);
  for (const node of nodes) graph.removeNode(node);
  for (const { name, type } of session.outputs) {
    const value = valueOfProbe.get(name);
    if (value !== undefined && type.kind === 'tensor' && type.shape?.[0] === 0) unclear.delete(value);
  }
  return outputs.map(({ name, type }) =>
    unclear.has(name) && type.kind === 'tensor' ? { name, type: { ...type, shape: null } } : { name, type },
  );
}

const seemsScalar = (type: ValueType): boolean => type.kind === 'tensor' && type.shape?.length === 0;

function sized(model: Model): Uint8Array {
  if (onnxSize(model) > LARGEST) throw tooLarge();
  return onnxBytes(model);
}

function tooLarge(): HoneError {
  return new HoneError('tensor-too-large', 'The structure of the model is too large to infer its types.');
}

/**
 * Gives every value of `model` that has no type, or a tensor type with gaps, what the engine infers. Returns how many values
 * gained. What the model says itself is not overridden.
 */
export async function attachTypes(model: Model, engine: Engine, scratch: string): Promise<number> {
  const { types } = await inferTypes(model, engine, scratch);
  let gained = 0;
  for (const value of model.graph.values()) {
    const type = merged(value.type, types.get(value.name) ?? null);
    if (type === value.type) continue;
    value.type = type;
    gained++;
  }
  return gained;
}

function merged(own: ValueType | null, inferred: ValueType | null): ValueType | null {
  if (own === null || inferred === null) return own ?? inferred;
  if (own.kind !== 'tensor' || inferred.kind !== 'tensor') return own;
  const { shape } = own;
  const shapeGains =
    shape === null ? inferred.shape !== null : shape.includes(null) && inferred.shape?.length === shape.length;
  const dtypeGains = own.dtype === null && inferred.dtype !== null;
  if (!shapeGains && !dtypeGains) return own;
  return {
    ...own,
    dtype: own.dtype ?? inferred.dtype,
    shape: shapeGains ? (shape?.map((dim, axis) => dim ?? inferred.shape?.[axis] ?? null) ?? inferred.shape) : shape,
  };
}

function withoutWeights(model: Model, symbols: 'keep' | 'ones'): Model {
  const { model: copy } = cloneModel(model);
  const { graph } = copy;
  if (symbols === 'ones') {
    forgetTypes(graph);
    for (const input of graph.inputs) if (input.type?.kind === 'tensor') input.type = withOnes(input.type);
  }
  const inputs = new Set(graph.inputs);
  for (const value of [...graph.initializers]) {
    const { tensor } = value;
    if (tensor === null || tensor.bytes <= KEPT) continue;
    value.tensor = null;
    graph.initializers.delete(value);
    value.type = tensorType(tensor.dtype, tensor.shape);
    if (!inputs.has(value)) graph.inputs.push(value);
  }
  for (const node of [...graph.nodes]) {
    const type = madeWeight(node);
    const output = node.outputs[0];
    if (type === null || !output || graph.outputs.includes(output)) continue;
    node.setOutput(0, null);
    graph.removeNode(node);
    output.type = type;
    graph.inputs.push(output);
  }
  // An initializer that is listed as an input too is a default to the engine, and decides no type: here it is a constant.
  graph.inputs.splice(0, graph.inputs.length, ...graph.inputs.filter((input) => !input.isConstant));
  copy.irVersion = Math.max(copy.irVersion, 4);
  return copy;
}

/** The type of a large tensor that a ConstantOfShape would make: the engine would fold it into a weight. */
function madeWeight(node: Node): TensorType | null {
  const shape = node.is('ConstantOfShape') ? node.inputs[0]?.tensor : null;
  if (!shape || shape.size > 16) return null;
  const dims = toNumbers(shape);
  const value = node.attributes.get('value');
  const dtype = value?.type === 'tensor' ? value.value.dtype : 'float32';
  return byteLength(dtype, elementCount(dims)) > KEPT ? tensorType(dtype, dims) : null;
}

function withOnes(type: TensorType): TensorType {
  return { ...type, shape: type.shape?.map((dim) => (typeof dim === 'number' ? dim : 1)) ?? null };
}

/** Drops what was recorded with symbols: the engine would take it as a contradiction to the numbers. */
function forgetTypes(graph: Graph): void {
  const forget = (value: Value): void => {
    if (value.type?.kind === 'tensor' && staticShape(value.type) === null) value.type = null;
  };
  for (const node of graph.nodes) {
    for (const output of node.outputs) if (output !== null) forget(output);
    for (const subgraph of node.subgraphs()) forgetTypes(subgraph);
  }
}
