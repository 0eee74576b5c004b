/**
 * If, Loop and Scan written out, for formats without them: the branch that is known to be taken; both branches and a choice
 * between what they give; the body of a loop as many times as it runs. What runs as often as data says stays as it is.
 */
import { intAttribute, intsAttribute } from './attribute.ts';
import { inlineGraph } from './clone.ts';
import type { Graph } from './graph.ts';
import type { Model } from './model.ts';
import type { Node } from './node.ts';
import { scalarTensor, tensorFromInt64, tensorFromNumbers, toNumbers } from './tensor-values.ts';
import { staticShape, type ValueType } from './types.ts';
import type { Value } from './value.ts';

/** Beyond this many nodes a loop is left alone: a file of its own for each step helps nobody. */
const MOST_NODES = 20_000;

/**
 * Writes out what can be in the main graph; bodies that stood in bodies are there after that, so call it until it gives 0.
 * Constants must be folded, and `types` know the shapes of scanned values and of what branches give.
 */
export function inlineControlFlow(model: Model, types: ReadonlyMap<Value, ValueType>): number {
  const { graph } = model;
  let count = 0;
  for (const node of [...graph.nodes]) {
    const made = inlined(node, graph, model.opset, types);
    if (made === null) continue;
    node.outputs.forEach((output, index) => {
      const value = made[index];
      if (output !== null && value !== undefined) graph.replaceValue(output, value);
    });
    graph.removeNode(node);
    count++;
  }
  if (count > 0) makeRangesScalar(graph, types);
  return count;
}

/**
 * A bound of Range that came out of a branch may be a vector of one, as in the body of ONNX's AffineGrid: the engine takes it
 * while it does not know the shape, and no longer once the branch is gone.
 */
function makeRangesScalar(graph: Graph, types: ReadonlyMap<Value, ValueType>): void {
  const isScalar = (value: Value): boolean => {
    const type = types.get(value) ?? value.type;
    return value.tensor?.shape.length === 0 || (type?.kind === 'tensor' && type.shape?.length === 0);
  };
  for (const node of [...graph.nodes]) {
    if (!node.is('Range')) continue;
    node.inputs.forEach((input, index) => {
      if (input === null || isScalar(input)) return;
      const shape = graph.addInitializer(graph.uniqueName(`${node.label}/scalar`), tensorFromInt64([], [0]));
      node.setInput(index, add(graph, 'Reshape', [input, shape], `${node.label}/bound_${index}`));
    });
  }
}

/** The values that the node gives, made by nodes of the graph; null when it cannot be written out. */
function inlined(
  node: Node,
  graph: Graph,
  opset: number,
  types: ReadonlyMap<Value, ValueType>,
): readonly Value[] | null {
  if (node.is('If')) return inlinedIf(node, graph, types);
  if (node.is('Loop')) return inlinedLoop(node, graph, opset);
  if (node.is('Scan')) return inlinedScan(node, graph, opset, types);
  return null;
}

function bodyOf(node: Node, name: string): Graph | null {
  const attribute = node.attributes.get(name);
  return attribute?.type === 'graph' ? attribute.value : null;
}

function inlinedIf(node: Node, graph: Graph, types: ReadonlyMap<Value, ValueType>): Value[] | null {
  const [condition] = node.inputs;
  const [yes, no] = [bodyOf(node, 'then_branch'), bodyOf(node, 'else_branch')];
  if (!condition || yes === null || no === null) return null;
  const prefix = `${node.label}/`;
  if (condition.tensor !== null) {
    const taken = toNumbers(condition.tensor)[0] === 0 ? no : yes;
    return inlineGraph(taken, graph, [], prefix);
  }
  // Both are computed, so neither may have an effect, and they must give the same shapes: else there is nothing to choose from.
  const isKnown = node.outputs.every((output) => output === null || staticShape(types.get(output) ?? null) !== null);
  if (!isKnown || [yes, no].some(hasEffect)) return null;
  const ones = inlineGraph(yes, graph, [], `${prefix}then/`);
  const others = inlineGraph(no, graph, [], `${prefix}else/`);
  const shape = graph.addInitializer(graph.uniqueName(`${prefix}scalar`), tensorFromInt64([], [0]));
  const scalar = add(graph, 'Reshape', [condition, shape], `${prefix}condition`);
  return ones.map((one, index) => add(graph, 'Where', [scalar, one, others[index] ?? one], `${prefix}chosen_${index}`));
}

/** Random numbers would be drawn in the branch that is not taken as well. */
function hasEffect(graph: Graph): boolean {
  return [...graph.allNodes()].some(({ opType }) => /^Random|^Multinomial|^Bernoulli/.test(opType));
}

function inlinedLoop(node: Node, graph: Graph, opset: number): Value[] | null {
  const body = bodyOf(node, 'body');
  const [trips, condition, ...states] = node.inputs;
  if (body === null || !trips?.tensor) return null;
  if (condition && (condition.tensor === null || toNumbers(condition.tensor)[0] === 0)) return null;
  const count = toNumbers(trips.tensor)[0] ?? 0;
  if (!goesOn(body) || !fits(body, count) || states.includes(null)) return null;
  const on = graph.addInitializer(graph.uniqueName(`${node.label}/on`), tensorFromNumbers('bool', [1], []));
  let carried = states as Value[];
  const scanned: Value[][] = [];
  const constants = new Map<Value, Value>();
  for (let trip = 0; trip < count; trip++) {
    const prefix = `${node.label}/${trip}/`;
    const number = graph.addInitializer(graph.uniqueName(`${prefix}trip`), scalarTensor('int64', trip));
    const [, ...given] = inlineGraph(body, graph, [number, on, ...carried], prefix, constants);
    carried = given.slice(0, states.length);
    scanned.push(given.slice(states.length));
  }
  return [...carried, ...stackedAll(graph, opset, scanned, node.label, () => 0)];
}

/** Whether the body leaves the condition as it was, or says that it is true. */
function goesOn(body: Graph): boolean {
  let value = body.outputs[0];
  while (value?.producer?.is('Identity')) value = value.producer.inputs[0] ?? undefined;
  if (value === undefined) return false;
  if (value === body.inputs[1]) return true;
  return value.tensor !== null && toNumbers(value.tensor)[0] !== 0;
}

function fits(body: Graph, count: number): boolean {
  return count > 0 && [...body.allNodes()].length * count <= MOST_NODES;
}

/** Since opset 9; before, Scan had a batch and lengths. */
function inlinedScan(node: Node, graph: Graph, opset: number, types: ReadonlyMap<Value, ValueType>): Value[] | null {
  const body = bodyOf(node, 'body');
  const scans = node.int('num_scan_inputs', 0);
  if (body === null || opset < 9 || node.inputs.includes(null)) return null;
  const given = node.inputs as readonly Value[];
  const states = given.length - scans;
  const inputs = given.slice(states).map((value, index) => {
    const shape = staticShape(types.get(value) ?? value.type);
    const axis = node.ints('scan_input_axes')?.[index] ?? 0;
    const place = axis < 0 ? axis + (shape?.length ?? 0) : axis;
    return {
      value,
      axis: place,
      length: shape?.[place] ?? null,
      isBackward: isOne(node, 'scan_input_directions', index),
    };
  });
  const count = inputs[0]?.length ?? null;
  if (count === null || !fits(body, count)) return null;
  let carried = given.slice(0, states);
  const scanned: Value[][] = [];
  const constants = new Map<Value, Value>();
  for (let step = 0; step < count; step++) {
    const prefix = `${node.label}/${step}/`;
    const elements = inputs.map(({ value, axis, isBackward }, index) => {
      const at = scalarTensor('int64', isBackward ? count - 1 - step : step);
      const place = graph.addInitializer(graph.uniqueName(`${prefix}at_${index}`), at);
      return add(graph, 'Gather', [value, place], `${prefix}element_${index}`, [['axis', intAttribute(axis)]]);
    });
    const made = inlineGraph(body, graph, [...carried, ...elements], prefix, constants);
    carried = made.slice(0, states);
    scanned.push(made.slice(states));
  }
  const axisOf = (index: number): number => node.ints('scan_output_axes')?.[index] ?? 0;
  const ordered = (scanned[0] ?? []).map((_, index) => {
    const column = scanned.map((row) => row[index] as Value);
    return isOne(node, 'scan_output_directions', index) ? column.toReversed() : column;
  });
  const rows = scanned.map((_, step) => ordered.map((column) => column[step] as Value));
  return [...carried, ...stackedAll(graph, opset, rows, node.label, axisOf)];
}

const isOne = (node: Node, name: string, index: number): boolean => (node.ints(name)?.[index] ?? 0) === 1;

/** Each column of `rows` joined along a new axis. */
function stackedAll(
  graph: Graph,
  opset: number,
  rows: readonly (readonly Value[])[],
  label: string,
  axisOf: (index: number) => number,
): Value[] {
  return (rows[0] ?? []).map((_, index) => {
    const axis = axisOf(index);
    const axes = graph.addInitializer(graph.uniqueName(`${label}/axes`), tensorFromInt64([axis], [1]));
    const parts = rows.map((row, at) => {
      const value = row[index] as Value;
      const name = `${label}/${at}/row_${index}`;
      return opset >= 13
        ? add(graph, 'Unsqueeze', [value, axes], name)
        : add(graph, 'Unsqueeze', [value], name, [['axes', intsAttribute([axis])]]);
    });
    return add(graph, 'Concat', parts, `${label}/stacked_${index}`, [['axis', intAttribute(axis)]]);
  });
}

function add(
  graph: Graph,
  opType: string,
  inputs: readonly Value[],
  name: string,
  attributes: readonly (readonly [string, ReturnType<typeof intAttribute>])[] = [],
): Value {
  const output = graph.createValue(name);
  graph.addNode({ opType, name, inputs, outputs: [output], attributes });
  return output;
}
