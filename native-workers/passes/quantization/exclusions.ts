/** What the option `exclude` names. */
import type { Graph } from '../../graph/graph.ts';
import type { PassNote } from '../pass.ts';

/** Everything that can be excluded: nodes by their labels, and operators. */
export function excludableNames(graph: Graph): Set<string> {
  return new Set([...graph.nodes].flatMap(({ label, opType }) => [label, opType]));
}

/** Names that exclude nothing: a layer that was to stay float would not, and nobody would know. */
export function unknownExclusions(exclude: readonly string[], ...known: readonly ReadonlySet<string>[]): PassNote[] {
  const unknown = exclude.filter((name) => !known.some((names) => names.has(name)));
  if (unknown.length === 0) return [];
  const names = unknown.map((name) => `'${name}'`).join(', ');
  return [{ message: `exclude: no node and no operator of the model is called ${names}.`, caution: true }];
}
