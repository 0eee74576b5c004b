/**
 * Chooses the order of dimensions of every tensor: as in ONNX, or with channels last. Lowering left a transpose on each side of
 * every operator that must have channels last. Here each operator that can work either way gets one of the two orders, such that
 * the elements that have to be transposed are as few as possible: a minimum cut, in which an edge costs the elements of the
 * tensor that it would transpose. The transposes are terminals: what reads a tensor that was brought from channels last would
 * get it for nothing in that order.
 */

import { permutedTensor } from '../../graph/late-tensor.ts';
import { tensorFromBytes } from '../../graph/tensor-values.ts';
import { makersOf, readersOf, type TflGraph, type TflOperator, type TflTensor } from './ir.ts';
import { hasLayouts, movableInputs, moveOperands } from './layout-rules.ts';
import { channelsFirst, channelsLast } from './lower/window.ts';
import { CutGraph } from './min-cut.ts';
import { permutationOf, simplify } from './simplify.ts';

const FOREVER = Number.MAX_SAFE_INTEGER;

export function assignLayout(graph: TflGraph): void {
  const moved = chooseMoved(graph);
  if (moved.size > 0) move(graph, moved);
  simplify(graph);
  flattenWeights(graph);
  reshapeTransposes(graph);
}

/** 'toLast' brings a tensor from ONNX's order to channels last, 'toFirst' brings it back. */
function bridge(operator: TflOperator): 'toLast' | 'toFirst' | null {
  if (operator.code !== 'TRANSPOSE') return null;
  const perm = permutationOf(operator);
  if (!RANKS.has(perm.length)) return null;
  if (perm.join() === channelsLast(perm.length).join()) return 'toLast';
  return perm.join() === channelsFirst(perm.length).join() ? 'toFirst' : null;
}
const RANKS: ReadonlySet<number> = new Set([3, 4, 5]);

/** Operators that are cheapest with channels last. */
function chooseMoved(graph: TflGraph): Set<TflOperator> {
  const cut = new CutGraph();
  const first = cut.addNode();
  const last = cut.addNode();
  const nodes = new Map<TflOperator, number>();
  for (const operator of graph.operators) if (movableInputs(operator) !== null) nodes.set(operator, cut.addNode());
  if (nodes.size === 0) return new Set();
  const readers = readersOf(graph.operators);
  const makers = makersOf(graph.operators);
  const outputs = new Set(graph.outputs.map(({ tensor }) => tensor));
  /** On which side a tensor is made: a movable operator's, channels last behind 'toFirst', else ONNX's. */
  const sideOf = (tensor: TflTensor): number => {
    const maker = makers.get(tensor);
    if (maker === undefined) return first;
    return nodes.get(maker) ?? (bridge(maker) === 'toFirst' ? last : first);
  };
  const tensors = new Set([
    ...graph.inputs.map(({ tensor }) => tensor),
    ...graph.operators.flatMap((operator) => operator.outputs),
  ]);
  for (const tensor of tensors) {
    if (!hasLayouts(tensor)) continue;
    const cost = transposedElements(tensor);
    const side = sideOf(tensor);
    const wanted = new Set<number>();
    for (const reader of readers.get(tensor) ?? []) {
      if (flattenedLayers(reader, readers, outputs) !== null) continue;
      const node = nodes.get(reader);
      if (node !== undefined && movableInputs(reader)?.includes(tensor)) wanted.add(node);
      else wanted.add(bridge(reader) === 'toLast' ? last : first);
    }
    if (outputs.has(tensor)) wanted.add(first);
    // A tensor is transposed once however many readers want it so: both of its forms are nodes that the readers hang on.
    const [inFirst, inLast] = [cut.addNode(), cut.addNode()];
    cut.addEdge(inFirst, side, cost);
    cut.addEdge(side, inLast, cost);
    for (const reader of wanted) {
      if (reader === side) continue;
      cut.addEdge(inLast, reader, FOREVER);
      cut.addEdge(reader, inFirst, FOREVER);
    }
  }
  const isFirst = cut.cut(first, last);
  return new Set([...nodes].filter(([, node]) => !isFirst[node]).map(([operator]) => operator));
}

/** Elements that bringing a tensor into the other order moves; none when at most one of the moved dimensions is above 1. */
function transposedElements({ shape }: TflTensor): number {
  const spatial = shape.slice(2).reduce((all, dim) => all * dim, 1);
  return (shape[1] ?? 1) === 1 || spatial === 1 ? 0 : shape.reduce((all, dim) => all * dim, 1);
}

/** Gives the chosen operators channels last, with transposes where a tensor crosses over; `simplify` joins those. */
function move(graph: TflGraph, moved: ReadonlySet<TflOperator>): void {
  const made: TflOperator[] = [];
  const lastForm = new Map<TflTensor, TflTensor>();
  const transposed = (x: TflTensor, perm: readonly number[], source: string): TflTensor => {
    const shape = perm.map((axis) => x.shape[axis] ?? 1);
    const order = ints(perm);
    const y: TflTensor = {
      name: '',
      shape,
      dtype: x.dtype,
      constant: null,
      quantization: x.quantization,
      signature: null,
    };
    made.push({ code: 'TRANSPOSE', inputs: [x, order], outputs: [y], options: {}, source });
    return y;
  };
  const inLast = (x: TflTensor, source: string): TflTensor => {
    const known = lastForm.get(x);
    if (known !== undefined) return known;
    const y = transposed(x, channelsLast(x.shape.length), source);
    lastForm.set(x, y);
    return y;
  };
  for (const operator of graph.operators) {
    if (!moved.has(operator)) {
      made.push(operator);
      continue;
    }
    const data = new Set(movableInputs(operator) ?? []);
    moveOperands(operator);
    operator.inputs = operator.inputs.map((input) =>
      input !== null && data.has(input) ? inLast(input, operator.source) : input,
    );
    const before = operator.outputs;
    operator.outputs = before.map((output) => {
      const shape = channelsLast(output.shape.length).map((axis) => output.shape[axis] ?? 1);
      return { ...output, name: output.name === '' ? '' : `${output.name}_last`, shape };
    });
    if (operator.code === 'BROADCAST_TO' || operator.code === 'TILE') operator.options = {};
    made.push(operator);
    before.forEach((output, index) => {
      const stored = operator.outputs[index];
      if (stored === undefined) return;
      lastForm.set(output, stored);
      const perm = channelsFirst(output.shape.length);
      const back = transposed(stored, perm, operator.source);
      (made[made.length - 1] as TflOperator).outputs = [output];
      back.name = '';
    });
  }
  graph.operators = made;
}

/** The layers with constant weights behind a flatten of all but the batch; null when that is not all there is. */
function flattenedLayers(
  operator: TflOperator,
  readers: ReadonlyMap<TflTensor, readonly TflOperator[]>,
  outputs: ReadonlySet<TflTensor>,
): readonly TflOperator[] | null {
  const [x] = operator.inputs;
  const [y] = operator.outputs;
  if (operator.code !== 'RESHAPE' || !x || !y || outputs.has(y) || !hasLayouts(x)) return null;
  const [batch = 1, ...rest] = x.shape;
  const columns = rest.reduce((all, dim) => all * dim, 1);
  if (y.shape.length !== 2 || y.shape[0] !== batch || y.shape[1] !== columns) return null;
  const layers = readers.get(y) ?? [];
  const fits = layers.every(
    ({ code, inputs }) => code === 'FULLY_CONNECTED' && inputs[0] === y && isPlainMatrix(inputs[1]),
  );
  return fits ? layers : null;
}

/**
 * A flatten after channels last and before a layer with constant weights: the columns of the weights are put in the order of
 * the elements instead of the elements in that of the columns.
 */
function flattenWeights(graph: TflGraph): void {
  const readers = readersOf(graph.operators);
  const makers = makersOf(graph.operators);
  const outputs = new Set(graph.outputs.map(({ tensor }) => tensor));
  for (const operator of graph.operators) {
    const layers = flattenedLayers(operator, readers, outputs);
    const [x, shape] = operator.inputs;
    const maker = x ? makers.get(x) : undefined;
    if (layers === null || !x || maker === undefined || bridge(maker) !== 'toFirst') continue;
    for (const layer of layers) {
      const weights = layer.inputs[1] as TflTensor;
      const moved = columnsMoved(weights, x.shape.slice(1));
      layer.inputs = layer.inputs.map((input, index) => (index === 1 ? moved : input));
    }
    operator.inputs = [maker.inputs[0] ?? null, shape ?? null];
  }
}

/** A transpose that moves no dimension above 1 past another is a reshape. */
function reshapeTransposes(graph: TflGraph): void {
  for (const operator of graph.operators) {
    if (operator.code !== 'TRANSPOSE') continue;
    const [x] = operator.inputs;
    const [y] = operator.outputs;
    if (!x || !y) continue;
    const large = permutationOf(operator).filter((axis) => (x.shape[axis] ?? 1) > 1);
    if (large.some((axis, index) => index > 0 && axis < (large[index - 1] ?? 0))) continue;
    operator.code = 'RESHAPE';
    operator.inputs = [x, ints(y.shape)];
    operator.options = { new_shape: y.shape };
  }
}

function ints(values: readonly number[]): TflTensor {
  const shape = [values.length];
  const constant = tensorFromBytes('int32', shape, new Uint8Array(Int32Array.from(values).buffer));
  return { name: '', shape, dtype: 'int32', constant, quantization: null, signature: null };
}

function isPlainMatrix(tensor: TflTensor | null | undefined): boolean {
  return tensor?.constant != null && tensor.dtype !== 'int4' && tensor.quantization?.blocks === undefined;
}

/** Columns in the order of [C, ...space] brought into that of [...space, C]. */
function columnsMoved(weights: TflTensor, sizes: readonly number[]): TflTensor {
  const { constant } = weights;
  if (constant === null) return weights;
  const rows = weights.shape[0] ?? 1;
  const rank = sizes.length + 1;
  const apart = permutedTensor(constant.reshaped([rows, ...sizes]), channelsLast(rank));
  return { ...weights, constant: apart.reshaped(weights.shape) };
}
