/**
 * Types of the values inside a model, from the engine's own inference instead of a second copy of ONNX's rules: a session that
 * is opened without optimisation and saved carries the type of every value. What the engine is given has no weights: large
 * initializers become inputs of their type, so that a model of any size is a small one here.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { cloneModel } from '../../graph/clone.ts';
import type { Graph } from '../../graph/graph.ts';
import type { Model } from '../../graph/model.ts';
import { staticShape, type TensorType, tensorType, type ValueType } from '../../graph/types.ts';
import type { Value } from '../../graph/value.ts';
import type { Engine } from '../../lib/engine.ts';
import { HoneError } from '../../protocol/errors.ts';
import { readOnnx } from './read.ts';
import { onnxBytes, onnxSize } from './write.ts';

/** Initializers up to here are kept: shapes, axes and such decide types. */
const KEPT = 16 << 10;
/** What is left after that must be structure; beyond this size it is not worth an engine's time. */
const LARGEST = 64 << 20;

export interface InferOptions {
  /** 'ones' takes every symbolic or unknown dimension of the inputs as 1, so that shapes come out as numbers. Default 'keep'. */
  readonly symbols?: 'keep' | 'ones';
}

/** A model as the engine sees it: functions inlined, every value with what the engine found out. Has no weights. */
export interface InferredModel {
  readonly model: Model;
  /** Types by name of the value, of the graph and its subgraphs. */
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
  const weightless = withoutWeights(model, options.symbols ?? 'keep');
  if (onnxSize(weightless) > LARGEST) {
    throw new HoneError('tensor-too-large', 'The structure of the model is too large to infer its types.');
  }
  const path = join(scratch, `types-${process.pid}-${++files}.onnx`);
  try {
    const session = await engine.open(onnxBytes(weightless), { optimization: 'disabled', optimizedModelPath: path });
    await session.release();
    const inferred = readOnnx(path);
    return { model: inferred, types: typesByName(inferred.graph) };
  } finally {
    rmSync(path, { force: true });
  }
}
let files = 0;

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
  // Before IR version 4, an input with a default could not be told from a constant; here the difference matters.
  copy.irVersion = Math.max(copy.irVersion, 4);
  return copy;
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

function typesByName(graph: Graph): Map<string, ValueType> {
  const types = new Map<string, ValueType>();
  for (const value of graph.values()) if (value.type !== null) types.set(value.name, value.type);
  return types;
}
