/**
 * Einsum, two operands after another: letters in both that are still needed are batch, those that are not are contracted, the
 * rest are rows and columns of one product of matrices.
 */
import type { Node } from '../../../graph/node.ts';
import type { TflTensor } from '../ir.ts';
import type { Lowering } from './lowering.ts';
import type { Lower } from './registry.ts';
import { Refusal } from './terms.ts';

export const EINSUM_LOWERINGS: Readonly<Record<string, Lower>> = { Einsum: einsum };

/** A tensor and a letter for each of its dimensions. */
interface Lettered {
  readonly tensor: TflTensor;
  readonly letters: string;
}

function einsum(node: Node, lowering: Lowering): void {
  const tensors = node.inputs.map((_, index) => lowering.read(node, index));
  const equation = node.string('equation', '').replace(/\s/g, '');
  const { operands, out } = parsed(
    equation,
    tensors.map(({ shape }) => shape.length),
  );
  const parts = operands.map((letters, index) =>
    withoutRepeats(lowering, { tensor: tensors[index] as TflTensor, letters }),
  );
  const [first, ...rest] = parts;
  if (first === undefined) throw new Refusal('no operand');
  let all: Lettered = first;
  rest.forEach((part, index) => {
    const later = rest.slice(index + 1).map(({ letters }) => letters);
    const needed = later.join('') + out;
    const kept = [...new Set(all.letters + part.letters)].filter((letter) => needed.includes(letter)).join('');
    const order = index === rest.length - 1 ? out : kept;
    all = { tensor: contract(lowering, all, part, order), letters: order };
  });
  const { tensor, letters } = dropAlone(lowering, all, out);
  lowering.result(
    node,
    lowering.transpose(
      tensor,
      [...out].map((letter) => letters.indexOf(letter)),
    ),
  );
}

/** The letters of each operand and of the result; dimensions that stand for an ellipsis get letters of their own. */
function parsed(equation: string, ranks: readonly number[]): { operands: string[]; out: string } {
  const [left = '', explicit] = equation.split('->');
  const written = left.split(',');
  // Broadcast dimensions, counted from the last.
  const hidden = written.map((letters, index) =>
    letters.includes('...') ? (ranks[index] ?? 0) - letters.replace('...', '').length : 0,
  );
  const names = Array.from({ length: Math.max(0, ...hidden) }, (_, index) => String.fromCharCode(0x3b1 + index));
  const filled = (letters: string, count: number): string =>
    letters.replace('...', names.slice(names.length - count).join(''));
  const operands = written.map((letters, index) => filled(letters, hidden[index] ?? 0));
  const implicit = names.join('') + implicitOutput(written.join('').replaceAll('.', ''));
  return { operands, out: explicit === undefined ? implicit : filled(explicit, names.length) };
}

function implicitOutput(letters: string): string {
  return [...new Set(letters)]
    .filter((letter) => letters.indexOf(letter) === letters.lastIndexOf(letter))
    .sort()
    .join('');
}

/** A letter that stands twice in an operand means its diagonal. */
function withoutRepeats(lowering: Lowering, { tensor, letters }: Lettered): Lettered {
  const second = [...letters].findIndex((letter, index) => letters.indexOf(letter) < index);
  if (second < 0) return { tensor, letters };
  const first = letters.indexOf(letters[second] ?? '');
  const others = [...letters].map((_, axis) => axis).filter((axis) => axis !== first && axis !== second);
  const shape = others.map((axis) => tensor.shape[axis] ?? 1);
  const count = tensor.shape[first] ?? 1;
  const flat = lowering.reshape(lowering.transpose(tensor, [first, second, ...others]), [count * count, ...shape]);
  const places = Array.from({ length: count }, (_, at) => at * (count + 1));
  const rest = others.map((axis) => letters[axis]).join('');
  return withoutRepeats(lowering, {
    tensor: lowering.gather(flat, lowering.int32(places), 0),
    letters: `${letters[first]}${rest}`,
  });
}

function contract(lowering: Lowering, one: Lettered, other: Lettered, out: string): TflTensor {
  const x = dropAlone(lowering, one, other.letters + out);
  const y = dropAlone(lowering, other, one.letters + out);
  const sizes = new Map<string, number>();
  for (const { tensor, letters } of [x, y]) {
    for (const [axis, letter] of [...letters].entries()) sizes.set(letter, tensor.shape[axis] ?? 1);
  }
  const shared = [...x.letters].filter((letter) => y.letters.includes(letter));
  const batch = shared.filter((letter) => out.includes(letter));
  const summed = shared.filter((letter) => !out.includes(letter));
  const rows = [...x.letters].filter((letter) => !y.letters.includes(letter));
  const columns = [...y.letters].filter((letter) => !x.letters.includes(letter));
  const size = (letters: readonly string[]): number =>
    letters.reduce((all, letter) => all * (sizes.get(letter) ?? 1), 1);
  const arranged = (part: Lettered, order: string[], shape: number[]): TflTensor =>
    lowering.reshape(
      lowering.transpose(
        part.tensor,
        order.map((letter) => part.letters.indexOf(letter)),
      ),
      shape,
    );
  const left = arranged(x, [...batch, ...rows, ...summed], [size(batch), size(rows), size(summed)]);
  const right = arranged(y, [...batch, ...summed, ...columns], [size(batch), size(summed), size(columns)]);
  const product = lowering.matmul(left, right);
  const order = [...batch, ...rows, ...columns];
  const full = lowering.reshape(
    product,
    order.map((letter) => sizes.get(letter) ?? 1),
  );
  return lowering.transpose(
    full,
    [...out].map((letter) => order.indexOf(letter)),
  );
}

/** Sums over the letters that stand in this operand alone. */
function dropAlone(lowering: Lowering, { tensor, letters }: Lettered, others: string): Lettered {
  const alone = [...letters].flatMap((letter, axis) => (others.includes(letter) ? [] : [axis]));
  if (alone.length === 0) return { tensor, letters };
  const kept = [...letters].filter((letter) => others.includes(letter)).join('');
  const shape = tensor.shape.filter((_, axis) => !alone.includes(axis));
  return { tensor: lowering.reshape(lowering.reduce('SUM', tensor, alone), shape), letters: kept };
}
