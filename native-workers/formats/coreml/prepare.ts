/**
 * A model made ready for conversion: sizes fixed where they are given, what is constant folded, control flow written out, every
 * value with its type. Works on a copy; weights stay where they are.
 */
import { intAttribute } from '../../graph/attribute.ts';
import { cloneModel } from '../../graph/clone.ts';
import { byteLength, DTYPES, elementCount } from '../../graph/dtype.ts';
import { Graph } from '../../graph/graph.ts';
import { Model } from '../../graph/model.ts';
import type { Node } from '../../graph/node.ts';
import type { Tensor } from '../../graph/tensor.ts';
import { tensorFromHost } from '../../graph/tensor-values.ts';
import { topologicalOrder } from '../../graph/traversal.ts';
import { type Dim, staticShape, type ValueType } from '../../graph/types.ts';
import type { Value } from '../../graph/value.ts';
import type { Engine } from '../../lib/engine.ts';
import { HoneError } from '../../protocol/errors.ts';
import { inferTypes } from '../onnx/infer-types.ts';
import { inlineFunctions } from '../onnx/inline-functions.ts';
import { onnxBytes } from '../onnx/write.ts';
import { writeOut } from '../onnx/write-out.ts';
import { constantOf, isRead, LARGEST_FOLDED, sideConstant } from './known-results.ts';
import { learnShape, merged, reshapeOperand, smallIntegers } from './known-shapes.ts';

/** Each round of folding may make more shapes known to the engine. */
const ROUNDS = 8;

/** The size of a dimension that the model leaves open, or null when it stays open. */
export type ChooseDim = (dim: Dim, input: string, axis: number) => number | null;

export async function prepare(model: Model, engine: Engine, scratch: string, choose: ChooseDim): Promise<Model> {
  const plain = cloneModel(await inlineFunctions(model, engine, scratch)).model;
  fixInputs(plain.graph, choose);
  const clean = (each: Model): Promise<Model> => folded(each, engine, scratch);
  return writeOut(await clean(plain), { engine, scratch, clean, types: attachedTypes });
}

/** Every value has its type afterwards. */
async function folded(model: Model, engine: Engine, scratch: string): Promise<Model> {
  const { graph } = model;
  for (let round = 0; round < ROUNDS; round++) {
    const before = graph.nodes.size;
    await attach(model, engine, scratch);
    const isChanged = foldSimple(graph);
    await foldByEngine(model, engine);
    removeUnread(graph);
    if (graph.nodes.size === before && !isChanged) break;
  }
  await attach(model, engine, scratch);
  return model;
}

async function attachedTypes({ graph }: Model): Promise<ReadonlyMap<Value, ValueType>> {
  const types = new Map<Value, ValueType>();
  for (const value of graph.values()) if (value.type !== null) types.set(value, value.type);
  return types;
}

/** Nodes that computed only what is constant by now. */
function removeUnread(graph: Graph): void {
  for (const node of topologicalOrder(graph).reverse()) {
    const isRead = node.outputs.some(
      (output) => output !== null && (output.consumers.size > 0 || graph.outputs.includes(output)),
    );
    if (!isRead) graph.removeNode(node);
  }
}

function fixInputs(graph: Graph, choose: ChooseDim): void {
  const chosen = new Map<string, number>();
  for (const input of graph.inputs) {
    const { type } = input;
    if (input.isConstant || type?.kind !== 'tensor' || type.shape === null) continue;
    const shape = type.shape.map((dim, axis) => {
      if (typeof dim === 'number') return dim;
      const known = typeof dim === 'string' ? chosen.get(dim) : undefined;
      const size = known ?? choose(dim, input.name, axis);
      if (size !== null && typeof dim === 'string') chosen.set(dim, size);
      return size ?? dim;
    });
    input.type = { ...type, shape };
  }
  // What was recorded with the symbols may contradict the numbers.
  for (const node of graph.allNodes()) {
    for (const output of node.outputs) {
      if (output?.type?.kind === 'tensor' && staticShape(output.type) === null) output.type = null;
    }
  }
}

async function attach(model: Model, engine: Engine, scratch: string): Promise<void> {
  const { types } = await inferTypes(model, engine, scratch);
  for (const value of model.graph.values()) {
    const type = types.get(value.name);
    if (type !== undefined && !value.isConstant && !model.graph.inputs.includes(value))
      value.type = merged(type, value.type);
  }
}

/** Folds what needs no computing: constants, shapes that are known, filled and empty tensors, copies. True when something was. */
function foldSimple(graph: Graph): boolean {
  let isChanged = false;
  for (const node of topologicalOrder(graph)) {
    const output = node.outputs[0];
    if (!output || node.domain !== '') continue;
    if (node.is('CastLike')) castInstead(node, output.type);
    const operand = node.is('Reshape') ? reshapeOperand(node) : null;
    if (operand !== null) {
      node.setInput(1, graph.addInitializer(graph.uniqueName(`${output.name}_shape`), operand));
      isChanged = true;
    }
    learnShape(node);
    if (foldSides(graph, node)) isChanged = true;
    const tensor = constantOf(node) ?? smallIntegers(node);
    if (tensor === null) continue;
    replaceByConstant(graph, node, output, tensor);
    isChanged = true;
  }
  return isChanged;
}

/** Only the type of CastLike's second operand counts, so that a constant may be cast like what is computed. */
function castInstead(node: Node, type: ValueType | null): void {
  const code = type?.kind === 'tensor' && type.dtype !== null ? DTYPES[type.dtype].code : null;
  if (code === null) return;
  node.opType = 'Cast';
  node.truncateInputs(1);
  node.attributes.clear();
  node.attributes.set('to', intAttribute(code));
}

/** Outputs beside the first, or of several, that are constant: the node stays for the others. */
function foldSides(graph: Graph, node: Node): boolean {
  if (node.outputs.length < 2) return false;
  let isChanged = false;
  node.outputs.forEach((output, index) => {
    const tensor = output === null || !isRead(output, graph) ? null : sideConstant(node, index);
    if (output === null || tensor === null) return;
    graph.replaceValue(output, graph.addInitializer(graph.uniqueName(`${output.name}_folded`), tensor));
    isChanged = true;
  });
  return isChanged;
}

function replaceByConstant(graph: Graph, node: Node, output: Value, tensor: Tensor): void {
  const constant = graph.addInitializer(graph.uniqueName(`${output.name}_folded`), tensor);
  graph.replaceValue(output, constant);
  graph.removeNode(node);
}

/** Computes everything that depends on constants alone, in one run of the engine. */
async function foldByEngine(model: Model, engine: Engine): Promise<void> {
  const { graph } = model;
  const foldable = new Set<Node>();
  for (const node of topologicalOrder(graph)) if (isFoldable(node, foldable, graph)) foldable.add(node);
  if (foldable.size === 0) return;
  const wanted = [...foldable].flatMap((node) =>
    node.outputs.filter(
      (output): output is Value =>
        output !== null &&
        (graph.outputs.includes(output) || [...output.consumers].some((reader) => !foldable.has(reader))),
    ),
  );
  if (wanted.length === 0) return;
  const part = new Model(new Graph('constants'), model.opset, Math.max(model.irVersion, 4));
  for (const [domain, version] of model.opsets) part.opsets.set(domain, version);
  const copies = new Map<Value, Value>();
  const copyOf = (value: Value): Value => {
    const known = copies.get(value);
    if (known !== undefined) return known;
    const copy =
      value.tensor === null
        ? part.graph.createValue(value.name, value.type)
        : part.graph.addInitializer(value.name, value.tensor);
    copies.set(value, copy);
    return copy;
  };
  for (const node of foldable) {
    part.graph.addNode({
      opType: node.opType,
      domain: node.domain,
      name: node.name,
      inputs: node.inputs.map((input) => (input === null ? null : copyOf(input))),
      outputs: node.outputs.map((output) => (output === null ? null : copyOf(output))),
      attributes: node.attributes,
    });
  }
  for (const value of wanted) part.graph.outputs.push(copyOf(value));
  const session = await engine.open(onnxBytes(part), { optimization: 'disabled' });
  try {
    const results = await session.run({});
    for (const value of wanted) {
      const result = results[value.name];
      if (result === undefined) throw new HoneError('internal', `The constant ${value.name} was not computed.`);
      const constant = graph.addInitializer(graph.uniqueName(`${value.name}_folded`), tensorFromHost(result));
      graph.replaceValue(value, constant);
    }
  } finally {
    await session.release();
  }
  for (const node of [...foldable].reverse()) {
    if (node.outputs.every((output) => output === null || output.consumers.size === 0)) graph.removeNode(node);
  }
}

function isFoldable(node: Node, foldable: ReadonlySet<Node>, graph: Graph): boolean {
  // The form of quantized constants is kept: it is what makes the artifact small.
  if (
    node.domain !== '' ||
    node.is(
      'DequantizeLinear',
      'RandomNormal',
      'RandomUniform',
      'RandomNormalLike',
      'RandomUniformLike',
      'Multinomial',
      'Bernoulli',
    )
  )
    return false;
  if ([...node.subgraphs()].length > 0) return false;
  // Stands for a constant that is an output.
  if (node.is('Identity') && node.outputs.some((output) => output !== null && graph.outputs.includes(output)))
    return false;
  if (node.inputs.every((input) => input === null) && !node.is('Constant')) return false;
  const known = (value: Value | null): boolean =>
    value === null || value.isConstant || (value.producer !== null && foldable.has(value.producer));
  if (!node.inputs.every(known)) return false;
  return node.outputs.every((output) => output === null || isSmall(output.type));
}

function isSmall(type: ValueType | null): boolean {
  const shape = staticShape(type);
  if (type?.kind !== 'tensor' || shape === null || type.dtype === null || type.dtype === 'string') return false;
  const bytes = byteLength(type.dtype, elementCount(shape));
  return bytes > 0 && bytes <= LARGEST_FOLDED && type.dtype !== 'bfloat16' && DTYPES[type.dtype].bits >= 8;
}
