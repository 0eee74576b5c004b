/** Einsum: two operands at a time are brought into the form of a product of matrices. */
import type { Node } from '../../../graph/node.ts';
import type { MilValue } from '../program.ts';
import { matmul, reduce } from './builders.ts';
import type { Lower, Lowering } from './lowering.ts';
import { Refusal, staticDims } from './terms.ts';

/** A value with a letter for each of its dimensions. */
interface Labelled {
  readonly value: MilValue;
  readonly labels: readonly string[];
}

function einsum(node: Node, lowering: Lowering): void {
  const equation = node.string('equation', '').replaceAll(' ', '');
  const [left = '', right] = equation.split('->');
  const operands = left.split(',').map((term, index) => labelled(lowering, lowering.get(node, index), term));
  const letters = left.replace(/[^A-Za-z]/g, '');
  // Without an arrow the result has the letters that stand once, in their order, after what an ellipsis stands for.
  const isKept = (label: string): boolean => label.length > 1 || letters.indexOf(label) === letters.lastIndexOf(label);
  const output =
    right === undefined
      ? [...new Set(operands.flatMap(({ labels }) => labels))].filter(isKept).sort()
      : expand(right, Math.max(...operands.map(({ labels }) => labels.filter((label) => label.length > 1).length)));
  const [first, ...rest] = operands;
  if (first === undefined) throw new Refusal('it has no inputs');
  const result = rest.reduce((sum, next, index) => {
    const later = new Set([...output, ...rest.slice(index + 1).flatMap(({ labels }) => labels)]);
    return multiply(lowering, sum, next, later);
  }, first);
  lowering.result(node, ordered(lowering, summed(lowering, result, new Set(output)), output).value);
}

/** Letters of a term; dimensions of an ellipsis are named from the right: `...0`. */
function expand(term: string, ellipsis: number): string[] {
  const labels: string[] = [];
  for (let at = 0; at < term.length; at++) {
    if (term[at] !== '.') labels.push(term[at] ?? '');
    else {
      for (let index = ellipsis - 1; index >= 0; index--) labels.push(`...${index}`);
      at += 2;
    }
  }
  return labels;
}

function labelled(lowering: Lowering, value: MilValue, term: string): Labelled {
  const letters = term.replace('...', '').length;
  const labels = expand(term, value.type.shape.length - letters);
  return diagonal(lowering, { value, labels });
}

/** A letter that stands twice takes the diagonal: what is off it is made zero and summed away. */
function diagonal(lowering: Lowering, { value, labels }: Labelled): Labelled {
  const twice = labels.findIndex((label, index) => labels.indexOf(label) < index);
  if (twice < 0) return { value, labels };
  const first = labels.indexOf(labels[twice] ?? '');
  const [size = 1] = staticDims([value.type.shape[twice] ?? null], 'a diagonal');
  const shape = labels.map((_, axis) => (axis === first || axis === twice ? size : 1));
  const eye = Array.from({ length: size * size }, (_, at) => (Math.floor(at / size) === at % size ? 1 : 0));
  const kept = lowering.binary('mul', value, lowering.floats(eye, shape, 'diagonal'));
  const rest = reduce(lowering, 'reduce_sum', kept, [twice], false);
  return diagonal(lowering, { value: rest, labels: labels.filter((_, axis) => axis !== twice) });
}

/** Sums over all letters that nothing needs any more. */
function summed(lowering: Lowering, { value, labels }: Labelled, needed: ReadonlySet<string>): Labelled {
  const axes = labels.flatMap((label, axis) => (needed.has(label) ? [] : [axis]));
  if (axes.length === 0) return { value, labels };
  return {
    value: reduce(lowering, 'reduce_sum', value, axes, false),
    labels: labels.filter((label) => needed.has(label)),
  };
}

function ordered(lowering: Lowering, { value, labels }: Labelled, order: readonly string[]): Labelled {
  const perm = order.map((label) => labels.indexOf(label));
  const isOrdered = perm.every((axis, index) => axis === index);
  return { value: isOrdered ? value : lowering.transpose(value, perm), labels: order };
}

/** The product over letters that only these two have, with those that are needed later kept. */
function multiply(lowering: Lowering, x: Labelled, y: Labelled, later: ReadonlySet<string>): Labelled {
  const a = summed(lowering, x, new Set([...later, ...y.labels]));
  const b = summed(lowering, y, new Set([...later, ...x.labels]));
  const batch = a.labels.filter((label) => b.labels.includes(label) && later.has(label));
  const inner = a.labels.filter((label) => b.labels.includes(label) && !later.has(label));
  const rows = a.labels.filter((label) => !b.labels.includes(label));
  const columns = b.labels.filter((label) => !a.labels.includes(label));
  const sizes = new Map<string, number>();
  for (const { value, labels } of [a, b]) {
    staticDims(value.type.shape, 'the operands of an einsum').forEach((dim, axis) => {
      const label = labels[axis] ?? '';
      sizes.set(label, Math.max(dim, sizes.get(label) ?? 1));
    });
  }
  const size = (labels: readonly string[]): number =>
    labels.reduce((product, label) => product * (sizes.get(label) ?? 1), 1);
  const block = (of: Labelled, first: readonly string[], second: readonly string[]): MilValue => {
    const { value } = ordered(lowering, of, [...batch, ...first, ...second]);
    if (value.type.shape.some((dim, axis) => dim !== sizes.get([...batch, ...first, ...second][axis] ?? '')))
      throw new Refusal('an einsum that broadcasts a dimension of 1');
    return lowering.reshape(value, [size(batch), size(first), size(second)]);
  };
  const product = matmul(lowering, block(a, rows, inner), block(b, inner, columns));
  const labels = [...batch, ...rows, ...columns];
  return {
    value: lowering.reshape(
      product,
      labels.map((label) => sizes.get(label) ?? 1),
    ),
    labels,
  };
}

export const EINSUM: Readonly<Record<string, Lower>> = { Einsum: einsum };
