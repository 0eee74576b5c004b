/**
 * Leaves the batch of a converted graph open. The same model converted for a batch of one and for a batch of two differs in
 * just the places that depend on it: those sizes of tensors become -1 in their signature, and the numbers of shape operands -1,
 * which TFLite works out itself. Where a place cannot be left open, the batch stays as it is.
 */
import { tensorFromBytes, toNumbers } from '../../graph/tensor-values.ts';
import type { TflGraph, TflOperator, TflTensor } from './ir.ts';

/** Operands in which -1 means what is left over, or up to the end. */
const OPEN_OPERANDS: ReadonlyMap<string, number> = new Map([
  ['RESHAPE', 1],
  ['SLICE', 2],
]);

/** Opens the batch of `graph`; `twice` is the same model at twice the batch. Returns why not, or null when it is open. */
export function openBatch(graph: TflGraph, twice: TflGraph): string | null {
  if (graph.operators.length !== twice.operators.length) return 'its operators depend on the batch';
  const changes: (() => void)[] = [];
  const seen = new Set<TflTensor>();
  for (const [index, operator] of graph.operators.entries()) {
    const other = twice.operators[index] as TflOperator;
    if (operator.graphs !== undefined) return `${operator.code} of ${operator.source} has fixed sizes inside`;
    if (operator.code !== other.code || operator.inputs.length !== other.inputs.length)
      return 'its operators depend on the batch';
    const pairs = [
      ...operator.inputs.map((input, at) => [input, other.inputs[at] ?? null, at] as const),
      ...operator.outputs.map((output, at) => [output, other.outputs[at] ?? null, -1] as const),
    ];
    for (const [tensor, its, at] of pairs) {
      if (tensor === null || its === null || seen.has(tensor)) continue;
      if (tensor.constant !== null) {
        const change = openConstant(operator, at, tensor, its);
        if (typeof change === 'string') return change;
        if (change !== null) changes.push(change);
        continue;
      }
      seen.add(tensor);
      if (tensor.shape.length !== its.shape.length) return `the rank of ${tensor.name} depends on the batch`;
      if (tensor.shape.join() === its.shape.join()) continue;
      const signature = tensor.shape.map((dim, axis) => (dim === its.shape[axis] ? dim : -1));
      changes.push(() => {
        tensor.signature = signature;
      });
    }
  }
  for (const change of changes) change();
  const isOutput = new Set(graph.outputs.map(({ tensor }) => tensor));
  for (const operator of graph.operators)
    if (operator.code === 'SLICE' && operator.outputs.some((output) => isOutput.has(output))) maskOpenSizes(operator);
  return changes.length > 0 ? null : 'nothing depends on the batch';
}

function openConstant(
  operator: TflOperator,
  at: number,
  tensor: TflTensor,
  its: TflTensor,
): (() => void) | string | null {
  if (tensor.constant === null || its.constant === null) return null;
  if (tensor.shape.join() !== its.shape.join())
    return `a constant of ${operator.code} ${operator.source} depends on the batch`;
  if (tensor.dtype !== 'int32' || tensor.shape.length !== 1) return null;
  const values = toNumbers(tensor.constant);
  const others = toNumbers(its.constant);
  const places = values.flatMap((value, index) => (value === others[index] ? [] : [index]));
  if (places.length === 0) return null;
  if (OPEN_OPERANDS.get(operator.code) !== at || places.length > 1)
    return `${operator.code} of ${operator.source} needs the batch as a number`;
  if (operator.code === 'SLICE' && toNumbers(operator.inputs[1]?.constant ?? tensor.constant)[places[0] ?? 0] !== 0)
    return `SLICE of ${operator.source} takes a part of the batch`;
  const open = values.map((value, index) => (index === places[0] ? -1 : value));
  return () => {
    const constant = tensorFromBytes('int32', tensor.shape, new Uint8Array(Int32Array.from(open).buffer));
    operator.inputs = operator.inputs.map((input, index) => (index === at ? { ...tensor, constant } : input));
    if (operator.code === 'RESHAPE') operator.options = { new_shape: open };
  };
}

/**
 * LiteRT 2.5.3 gives an output of the graph that a SLICE up to the end makes no memory, and returns what stands there; it does for a
 * STRIDED_SLICE, whose begins and ends are masked out where a size was open.
 */
function maskOpenSizes(operator: TflOperator): void {
  const [x = null, begin, size] = operator.inputs;
  if (!begin?.constant || !size?.constant) return;
  const [begins, sizes] = [toNumbers(begin.constant), toNumbers(size.constant)];
  const open = sizes.reduce((mask, each, axis) => (each < 0 ? mask | (1 << axis) : mask), 0);
  if (open === 0) return;
  const numbers = (values: readonly number[]): TflTensor => {
    const constant = tensorFromBytes('int32', [values.length], new Uint8Array(Int32Array.from(values).buffer));
    return { ...begin, name: '', constant };
  };
  const ends = begins.map((at, axis) => at + Math.max(sizes[axis] ?? 0, 0));
  operator.code = 'STRIDED_SLICE';
  operator.inputs = [x, begin, numbers(ends), numbers(begins.map(() => 1))];
  operator.options = { begin_mask: open, end_mask: open };
}
