/** What can be said with fewer operators: activations into the operator before, transposes and reshapes that undo each other. */

import { tensorFromBytes, toNumbers } from '../../graph/tensor-values.ts';
import { addSource, makersOf, readersOf, type TflGraph, type TflOperator, type TflTensor } from './ir.ts';

const FUSED: Readonly<Record<string, number>> = { RELU: 1, RELU_N1_TO_1: 2, RELU6: 3 };
const FUSING: ReadonlySet<string> = new Set([
  'CONV_2D',
  'DEPTHWISE_CONV_2D',
  'FULLY_CONNECTED',
  'ADD',
  'SUB',
  'MUL',
  'DIV',
  'CONV_3D',
]);

export function simplify(graph: TflGraph): void {
  for (let before = -1; before !== graph.operators.length; ) {
    before = graph.operators.length;
    joinTransposes(graph);
    joinReshapes(graph);
    fuseActivations(graph);
    removeUnread(graph);
  }
}

/** Makes every reader of a key read its value, all in one walk: a recurrent layer has thousands. */
function replaceAll(graph: TflGraph, replaced: ReadonlyMap<TflTensor, TflTensor>): void {
  if (replaced.size === 0) return;
  const last = (tensor: TflTensor): TflTensor => {
    let found = tensor;
    for (let next = replaced.get(found); next !== undefined; next = replaced.get(found)) found = next;
    return found;
  };
  for (const operator of graph.operators) {
    if (operator.inputs.some((input) => input !== null && replaced.has(input)))
      operator.inputs = operator.inputs.map((input) => (input === null ? null : last(input)));
  }
}

const isOutput = (graph: TflGraph, tensor: TflTensor): boolean =>
  graph.outputs.some((output) => output.tensor === tensor);

export function permutationOf(operator: TflOperator): number[] {
  const constant = operator.inputs[1]?.constant;
  return constant === null || constant === undefined ? [] : toNumbers(constant);
}

/** Two transposes in a row are one, or none; a transpose that moves only sizes of 1 is a reshape. */
function joinTransposes(graph: TflGraph): void {
  const makers = makersOf(graph.operators);
  const replaced = new Map<TflTensor, TflTensor>();
  for (const operator of graph.operators) {
    if (operator.code !== 'TRANSPOSE') continue;
    const [x] = operator.inputs;
    const [y] = operator.outputs;
    if (!x || !y) continue;
    const maker = makers.get(x);
    if (maker?.code !== 'TRANSPOSE' || !maker.inputs[0]) continue;
    const first = permutationOf(maker);
    const joined = permutationOf(operator).map((axis) => first[axis] ?? 0);
    if (joined.every((axis, index) => axis === index)) {
      if (isOutput(graph, y)) continue;
      replaced.set(y, maker.inputs[0]);
    } else operator.inputs = [maker.inputs[0], int32Constant(joined, operator)];
  }
  replaceAll(graph, replaced);
}

function int32Constant(values: readonly number[], { inputs }: TflOperator): TflTensor {
  const before = inputs[1] as TflTensor;
  const bytes = new Uint8Array(Int32Array.from(values).buffer);
  return { ...before, name: '', shape: [values.length], constant: tensorFromBytes('int32', [values.length], bytes) };
}

/** A reshape of a reshape reads the first one's input; one to the same shape is nothing. */
function joinReshapes(graph: TflGraph): void {
  const makers = makersOf(graph.operators);
  const replaced = new Map<TflTensor, TflTensor>();
  for (const operator of graph.operators) {
    if (operator.code !== 'RESHAPE') continue;
    const [x, shape] = operator.inputs;
    const [y] = operator.outputs;
    if (!x || !y || shape === undefined) continue;
    const maker = makers.get(x);
    if (maker?.code === 'RESHAPE' && maker.inputs[0]) operator.inputs = [maker.inputs[0], shape];
    const [source] = operator.inputs;
    if (source && source.shape.join() === y.shape.join() && !isOutput(graph, y) && source.constant === null)
      replaced.set(y, source);
  }
  replaceAll(graph, replaced);
}

function fuseActivations(graph: TflGraph): void {
  const makers = makersOf(graph.operators);
  const readers = readersOf(graph.operators);
  for (const operator of graph.operators) {
    const activation = FUSED[operator.code];
    const [x] = operator.inputs;
    const [y] = operator.outputs;
    if (activation === undefined || !x || !y || isOutput(graph, x) || (readers.get(x)?.length ?? 0) !== 1) continue;
    const maker = makers.get(x);
    if (maker === undefined || !FUSING.has(maker.code) || x.dtype === 'int32' || x.dtype === 'int64') continue;
    if ((maker.options['fused_activation_function'] ?? 0) !== 0) continue;
    maker.options = { ...maker.options, fused_activation_function: activation };
    maker.outputs = [y];
    addSource(maker, operator.source, ...(operator.fused ?? []));
    operator.inputs = [];
    operator.outputs = [];
  }
  graph.operators = graph.operators.filter(({ outputs }) => outputs.length > 0);
}

function removeUnread(graph: TflGraph): void {
  const needed = new Set(graph.outputs.map(({ tensor }) => tensor));
  const kept: TflOperator[] = [];
  for (const operator of graph.operators.toReversed()) {
    if (!operator.outputs.some((output) => needed.has(output))) continue;
    kept.push(operator);
    for (const input of operator.inputs) if (input !== null) needed.add(input);
  }
  graph.operators = kept.toReversed();
}
