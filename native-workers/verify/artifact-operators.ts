/** Which operators of an artifact a node of its model became, and how to say so. The same for all formats. */
import type { ArtifactOperator } from '../artifacts/target.ts';
import type { Node } from '../graph/node.ts';

/** In the artifact's order: those that name the node, or else those that make what it makes. Empty when it left no trace. */
export function operatorsOf(node: Node, operators: readonly ArtifactOperator[]): ArtifactOperator[] {
  const named = operators.filter(({ sources }) => sources.includes(node.label));
  if (named.length > 0) return named;
  const made = new Set(node.outputs.flatMap((output) => (output === null ? [] : [output.name])));
  return operators.filter(({ outputs }) => outputs.some((output) => made.has(output)));
}

/**
 * `CONV_2D 3 (y)`: type, index, what it makes. Of a node that became several the first and the last: `MEAN 12 to MUL 18 (y)`.
 * null for none.
 */
export function operatorsText(operators: readonly ArtifactOperator[]): string | null {
  const [first] = operators;
  const last = operators.at(-1);
  if (first === undefined || last === undefined) return null;
  const place = ({ type, index }: ArtifactOperator): string => `${type} ${index}`;
  const range = first === last ? place(last) : `${place(first)} to ${place(last)}`;
  return `${range} (${last.outputs.join(', ')})`;
}
