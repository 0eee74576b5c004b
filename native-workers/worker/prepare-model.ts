/**
 * A model as the writers of formats with fixed sizes want it: numbers for the sizes that its inputs leave open (those that
 * made-up inputs have), what depends on constants alone computed, control flow written out, batch normalizations in their convolutions, and the types
 * of all values known. The original is not touched.
 */
import type { PreparedModel } from '../artifacts/target.ts';
import { usualShape } from '../datasets/seeded-inputs.ts';
import { inferTypes } from '../formats/onnx/infer-types.ts';
import { inlineFunctions } from '../formats/onnx/inline-functions.ts';
import { writeOut } from '../formats/onnx/write-out.ts';
import { cloneModel } from '../graph/clone.ts';
import type { DType } from '../graph/dtype.ts';
import type { Graph } from '../graph/graph.ts';
import { joinDynamicProducts } from '../graph/join-dynamic-products.ts';
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import { separateQuantization } from '../graph/separate-quantization.ts';
import { topologicalOrder } from '../graph/traversal.ts';
import { staticShape, type ValueType } from '../graph/types.ts';
import type { Value } from '../graph/value.ts';
import type { Engine } from '../lib/engine.ts';
import { HoneError } from '../protocol/errors.ts';
import { applyRecipe } from './apply-recipe.ts';
import { modelOpener, typesOf } from './engine-models.ts';

/** Operators whose output has the shape that an operand says. */
const SHAPED_BY_DATA: ReadonlyMap<string, number> = new Map([
  ['Reshape', 1],
  ['Expand', 1],
  ['ConstantOfShape', 0],
  ['Squeeze', 1],
]);

/**
 * `batch`: the size of the first dimension of inputs that leave it open; `dims`: sizes of named dimensions, in place of the usual
 * ones. Throws what the first pass that failed threw.
 */
export async function prepareModel(
  source: Model,
  engine: Engine,
  scratch: string,
  batch = 1,
  dims: Readonly<Record<string, number>> = {},
): Promise<PreparedModel> {
  const { model } = cloneModel(await inlineFunctions(source, engine, scratch));
  const chosen = fixInputs(model.graph, batch, dims);
  if (chosen.size > 0) forgetOpenShapes(model.graph);
  joinDynamicProducts(model);
  separateQuantization(model);
  const cleaned = await writeOut(await clean(model, engine, scratch), {
    engine,
    scratch,
    clean: (each) => clean(each, engine, scratch),
    types: typesOf(engine, scratch),
  });
  const types = await staticTypes(cleaned, engine, scratch);
  return { model: cleaned, typeOf: (value) => types.get(value) ?? null, chosen };
}

async function clean(model: Model, engine: Engine, scratch: string): Promise<Model> {
  const recipe = { schema: 1 as const, name: 'prepare', steps: [{ pass: 'clean' }] };
  const applied = await applyRecipe(model, recipe, {
    engine,
    open: modelOpener(engine, scratch),
    types: typesOf(engine, scratch),
    calibration: null,
    trial: null,
    seed: 1,
    scratch,
    progress: async () => undefined,
    log: () => undefined,
  });
  const error = applied.rows.find((row) => row.error !== undefined)?.error;
  if (error !== undefined) throw HoneError.fromData(error);
  return applied.model;
}

function fixInputs(
  graph: Graph,
  batch: number,
  dims: Readonly<Record<string, number>>,
): Map<string, readonly number[]> {
  const chosen = new Map<string, readonly number[]>();
  for (const { name, type, isConstant } of graph.inputs) {
    if (isConstant || type?.kind !== 'tensor' || type.shape === null || type.dtype === null) continue;
    if (staticShape(type) !== null) continue;
    const shape = usualShape({ name, dtype: type.dtype, shape: type.shape }, dims);
    if (typeof type.shape[0] !== 'number' && shape[0] === 1) shape[0] = batch;
    chosen.set(name, shape);
  }
  for (const input of graph.inputs) {
    const shape = chosen.get(input.name);
    if (shape !== undefined && input.type?.kind === 'tensor') input.type = { ...input.type, shape };
  }
  return chosen;
}

/** What the file says of values in terms of the open sizes would contradict the numbers. */
function forgetOpenShapes(graph: Graph): void {
  for (const node of graph.nodes) {
    for (const output of node.outputs) {
      if (output?.type?.kind !== 'tensor' || staticShape(output.type) !== null) continue;
      output.type = { ...output.type, shape: null };
    }
    for (const subgraph of node.subgraphs()) forgetOpenShapes(subgraph);
  }
}

type Known = ReadonlyMap<Value, { readonly dtype: DType; readonly shape: readonly number[] }>;

async function staticTypes(model: Model, engine: Engine, scratch: string): Promise<Known> {
  const inferred = (await inferTypes(model, engine, scratch)).types;
  const known = new Map<Value, { dtype: DType; shape: readonly number[] }>();
  const learn = (value: Value, type: ValueType | null, isScalar: boolean): void => {
    if (value.tensor !== null) {
      known.set(value, { dtype: value.tensor.dtype, shape: value.tensor.shape });
      return;
    }
    if (type?.kind !== 'tensor' || type.dtype === null) return;
    const shape = staticShape(type) ?? (type.shape === null && isScalar ? [] : null);
    if (shape !== null) known.set(value, { dtype: type.dtype, shape });
  };
  const { graph } = model;
  for (const value of [...graph.inputs, ...graph.initializers]) learn(value, value.type, false);
  for (const node of topologicalOrder(graph)) {
    const isScalar = hasKnownShape(node, known);
    for (const output of node.outputs) {
      if (output === null) continue;
      const own = output.type?.kind === 'tensor' && staticShape(output.type) !== null ? output.type : null;
      const found = inferred.get(output.name) ?? output.type;
      learn(output, own?.dtype === null ? found : (own ?? found), isScalar);
    }
  }
  return known;
}

/** Whether the shape of what the node makes follows from shapes that are known: then one that the engine left out is a scalar's. */
function hasKnownShape(node: Node, known: Known): boolean {
  const operand = node.domain === '' ? SHAPED_BY_DATA.get(node.opType) : undefined;
  const value = operand === undefined ? null : (node.inputs[operand] ?? null);
  if (value !== null && value.tensor === null) return false;
  return node.inputs.every((input) => input === null || known.has(input));
}
