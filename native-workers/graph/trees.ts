/** Ensembles of decision trees as their operators describe them, brought into one form. Source: ONNX's Operators-ml.md. */
import type { Attribute } from './attribute.ts';
import type { Node } from './node.ts';
import { toNumbers } from './tensor-values.ts';

export type Mode = 'leq' | 'lt' | 'gte' | 'gt' | 'eq' | 'neq' | 'member';

export interface Branch {
  readonly feature: number;
  readonly mode: Mode;
  readonly split: number;
  /** Of `member`: the values that are in. */
  readonly members: readonly number[];
  /** Whether NaN goes the way of what holds. */
  readonly missingHolds: boolean;
}

export interface Leaf {
  /** Branches on the way by their place in the tree: true where what they ask holds. */
  readonly path: ReadonlyMap<number, boolean>;
  readonly weights: readonly (readonly [target: number, weight: number])[];
}

export interface Tree {
  readonly branches: readonly Branch[];
  readonly leaves: readonly Leaf[];
}

/** A place in a tree as it is walked: a branch with its two ways, or a leaf. */
type Place =
  | { readonly branch: Branch; readonly ways: readonly [holds: () => Place | null, fails: () => Place | null] }
  | { readonly weights: Leaf['weights'] };

/** Deeper trees go round in a circle. */
const DEEPEST = 512;

/** null for a tree whose branches lead nowhere, or round in a circle. */
function walked(root: Place | null): Tree | null {
  const branches: Branch[] = [];
  const leaves: Leaf[] = [];
  const visit = (place: Place | null, path: ReadonlyMap<number, boolean>): boolean => {
    if (place === null || path.size > DEEPEST) return false;
    if ('weights' in place) return leaves.push({ path, weights: place.weights }) > 0;
    const at = branches.push(place.branch) - 1;
    return [true, false].every((holds) => visit(place.ways[holds ? 0 : 1](), new Map([...path, [at, holds]])));
  };
  return visit(root, new Map()) ? { branches, leaves } : null;
}

const MODES: readonly Mode[] = ['leq', 'lt', 'gte', 'gt', 'eq', 'neq', 'member'];

function numbers(node: Node, name: string): number[] {
  const attribute: Attribute | undefined = node.attributes.get(name);
  if (attribute?.type === 'tensor') return toNumbers(attribute.value);
  if (attribute?.type === 'floats') return [...attribute.value];
  return node.ints(name) ?? [];
}

/** TreeEnsemble of version 5: branches and leaves apart, and sets of members one after another with NaN between. */
export function treesOf(node: Node): Tree[] | null {
  const column = (name: string): number[] => numbers(node, `nodes_${name}`);
  const [features, modes, splits] = [column('featureids'), column('modes'), column('splits')];
  const [yes, no, yesLeaf, noLeaf] = [
    column('truenodeids'),
    column('falsenodeids'),
    column('trueleafs'),
    column('falseleafs'),
  ];
  const missing = column('missing_value_tracks_true');
  const [targets, weights] = [numbers(node, 'leaf_targetids'), numbers(node, 'leaf_weights')];
  const sets: number[][] = [[]];
  for (const value of numbers(node, 'membership_values'))
    if (Number.isNaN(value)) sets.push([]);
    else sets.at(-1)?.push(value);
  let next = 0;
  const members = modes.map((mode) => (MODES[mode] === 'member' ? (sets[next++] ?? []) : []));
  const leaf = (at: number): Place => ({ weights: [[targets[at] ?? 0, weights[at] ?? 0]] });
  const branch = (at: number): Place | null => {
    const [feature, mode] = [features[at], MODES[modes[at] ?? -1]];
    if (feature === undefined || mode === undefined) return null;
    const own: Branch = {
      feature,
      mode,
      split: splits[at] ?? 0,
      members: members[at] ?? [],
      missingHolds: missing[at] === 1,
    };
    const way = (isLeaf: number[], to: number[]) => () => (isLeaf[at] ? leaf : branch)(to[at] ?? -1);
    return { branch: own, ways: [way(yesLeaf, yes), way(noLeaf, no)] };
  };
  return all(numbers(node, 'tree_roots').map(branch));
}

const NAMES: Readonly<Record<string, Mode>> = {
  BRANCH_LEQ: 'leq',
  BRANCH_LT: 'lt',
  BRANCH_GTE: 'gte',
  BRANCH_GT: 'gt',
  BRANCH_EQ: 'eq',
  BRANCH_NEQ: 'neq',
};

/** TreeEnsembleRegressor: nodes by tree and number, and weights by node. */
export function regressorTreesOf(node: Node): Tree[] | null {
  const column = (name: string): number[] => numbers(node, `nodes_${name}`);
  const [trees, ids, features, values] = ['treeids', 'nodeids', 'featureids', 'values'].map(column) as [
    number[],
    number[],
    number[],
    number[],
  ];
  const [yes, no, missing] = [column('truenodeids'), column('falsenodeids'), column('missing_value_tracks_true')];
  const given = node.attributes.get('nodes_modes');
  const modes = given?.type === 'strings' ? given.value.map((text) => new TextDecoder().decode(text)) : [];
  const key = (tree: number | undefined, id: number | undefined): string => `${tree}/${id}`;
  const places = new Map(ids.map((id, at) => [key(trees[at], id), at]));
  const weights = new Map<string, [number, number][]>();
  const [owners, nodes, targets, amounts] = ['treeids', 'nodeids', 'ids', 'weights'].map((name) =>
    numbers(node, `target_${name}`),
  ) as [number[], number[], number[], number[]];
  nodes.forEach((id, at) => {
    const own = weights.get(key(owners[at], id)) ?? [];
    weights.set(key(owners[at], id), [...own, [targets[at] ?? 0, amounts[at] ?? 0]]);
  });
  const place = (at: number | undefined): Place | null => {
    if (at === undefined) return null;
    const tree = trees[at];
    if (modes[at] === 'LEAF') return { weights: weights.get(key(tree, ids[at])) ?? [] };
    const mode = NAMES[modes[at] ?? ''];
    if (mode === undefined) return null;
    const branch: Branch = {
      feature: features[at] ?? 0,
      mode,
      split: values[at] ?? 0,
      members: [],
      missingHolds: missing[at] === 1,
    };
    const way = (to: number[]) => () => place(places.get(key(tree, to[at])));
    return { branch, ways: [way(yes), way(no)] };
  };
  // The root is the first node of each tree.
  const roots = new Map<number, number>();
  trees.forEach((tree, at) => {
    if (!roots.has(tree)) roots.set(tree, at);
  });
  return all([...roots.values()].map(place));
}

function all(roots: readonly (Place | null)[]): Tree[] | null {
  const trees = roots.map(walked);
  return trees.includes(null) || trees.length === 0 ? null : (trees as Tree[]);
}
