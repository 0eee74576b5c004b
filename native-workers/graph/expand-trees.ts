/**
 * Ensembles of decision trees as products: what each branch asks, for all trees at once; a product with the matrix of paths says
 * which leaf is reached, and one with their weights gives the result. Source of the method: Nakandala et al., A Tensor Compiler for
 * Unified Machine Learning Prediction Serving (2020), section 4.1.
 */
import { intAttribute } from './attribute.ts';
import type { DType } from './dtype.ts';
import type { Model } from './model.ts';
import type { Node } from './node.ts';
import { NodeBuilder } from './node-builder.ts';
import { tensorFromInt64, tensorFromNumbers } from './tensor-values.ts';
import { type Branch, type Mode, regressorTreesOf, type Tree, treesOf } from './trees.ts';
import type { TensorType, ValueType } from './types.ts';
import type { Value } from './value.ts';

const DOMAIN = 'ai.onnx.ml';
/** Elements of the matrix of paths: larger ensembles are no business of a graph. */
const MOST_ELEMENTS = 1 << 24;

/** Brought Equal of floats. */
const OLDEST_OPSET = 11;
const OWN_OPSET = 17;

export function isTrees(node: Node): boolean {
  return node.domain === DOMAIN && (node.opType === 'TreeEnsemble' || node.opType === 'TreeEnsembleRegressor');
}

/** Rewrites the main graph; `types` know the types of the inputs. Returns how many nodes were rewritten. */
export function expandTrees(model: Model, types: ReadonlyMap<Value, ValueType>): number {
  let count = 0;
  for (const node of [...model.graph.nodes]) {
    const [x] = node.inputs;
    const [output] = node.outputs;
    if (!isTrees(node) || !x || !output) continue;
    // A model of trees alone imports none of ONNX's own operators.
    if (!model.opsets.has('')) model.opsets.set('', OWN_OPSET);
    if (model.opset < OLDEST_OPSET) continue;
    const type = types.get(x) ?? x.type;
    const made = type?.kind === 'tensor' ? ensemble(node, x, type, new NodeBuilder(model, node.label)) : null;
    if (made === null) continue;
    model.graph.replaceValue(output, made);
    model.graph.removeNode(node);
    count++;
  }
  return count;
}

/** What is asked after the trees: their sum or mean, and what becomes of it. Others are left alone. */
function endOf(node: Node): { readonly isMean: boolean; readonly transform: string } | null {
  const isNew = node.opType === 'TreeEnsemble';
  const aggregate = isNew
    ? ['AVERAGE', 'SUM'][node.int('aggregate_function', 1)]
    : node.string('aggregate_function', 'SUM');
  const transform = isNew
    ? ['NONE', 'SOFTMAX', 'LOGISTIC'][node.int('post_transform', 0)]
    : node.string('post_transform', 'NONE');
  if ((aggregate !== 'SUM' && aggregate !== 'AVERAGE') || transform === undefined) return null;
  return ['NONE', 'SOFTMAX', 'LOGISTIC'].includes(transform) ? { isMean: aggregate === 'AVERAGE', transform } : null;
}

function ensemble(node: Node, x: Value, type: TensorType, build: NodeBuilder): Value | null {
  const { dtype } = type;
  const isNew = node.opType === 'TreeEnsemble';
  const trees = isNew ? treesOf(node) : regressorTreesOf(node);
  const end = endOf(node);
  if (trees === null || end === null || (dtype !== 'float32' && dtype !== 'float64')) return null;
  const most = (list: (tree: Tree) => readonly unknown[]): number =>
    Math.max(1, ...trees.map((tree) => list(tree).length));
  const [width, leaves] = [most(({ branches }) => branches), most((tree) => tree.leaves)];
  const targets = node.int('n_targets', 1);
  if (trees.length * width * leaves > MOST_ELEMENTS) return null;
  const numbers = (values: readonly number[], shape: readonly number[]): Value =>
    build.constant(tensorFromNumbers(dtype, values, shape), 'trees');
  const table = (shape: readonly number[]): number[] => Array<number>(shape.reduce((all, dim) => all * dim, 1)).fill(0);

  // Trees are as wide as the widest: a branch that there is not asks nothing that counts.
  const none: Branch = { feature: 0, mode: 'leq', split: 0, members: [], missingHolds: false };
  const branches = trees.flatMap((tree) => Array.from({ length: width }, (_, at) => tree.branches[at] ?? none));
  const holds = asked(build, x, branches, dtype);
  const bits = build.transpose(build.reshape(holds, [-1, trees.length, width]), [1, 0, 2]);
  const paths = table([trees.length, width, leaves]);
  // A leaf is reached when all that must hold does and nothing else on its way: half below the count of the former.
  const needed = Array<number>(trees.length * leaves).fill(width + 1);
  const weights = table([trees.length, leaves, targets]);
  trees.forEach((tree, index) => {
    tree.leaves.forEach(({ path, weights: own }, leaf) => {
      for (const [at, isTrue] of path) paths[(index * width + at) * leaves + leaf] = isTrue ? 1 : -1;
      needed[index * leaves + leaf] = [...path.values()].filter(Boolean).length - 0.5;
      for (const [target, weight] of own) {
        const place = (index * leaves + leaf) * targets + target;
        weights[place] = (weights[place] ?? 0) + weight / (end.isMean ? trees.length : 1);
      }
    });
  });
  const scores = build.add('MatMul', [bits, numbers(paths, [trees.length, width, leaves])], 'scores');
  const bound = numbers(needed, [trees.length, 1, leaves]);
  const reached = build.cast(build.add('Greater', [scores, bound], 'reached'), dtype);
  const side = build.reshape(build.transpose(reached, [1, 0, 2]), [0, -1]);
  const sum = build.add('MatMul', [side, numbers(weights, [trees.length * leaves, targets])], 'sum');
  // Added to every target, as ONNX's page says; ONNX Runtime leaves out those for which no leaf was reached.
  const base = isNew ? [] : (node.floats('base_values') ?? []);
  const moved = base.length === 0 ? sum : build.add('Add', [sum, numbers(base, [1, base.length])], 'moved');
  const result = isNew || dtype === 'float32' ? moved : build.cast(moved, 'float32');
  if (end.transform === 'NONE') return result;
  if (end.transform === 'LOGISTIC') return build.add('Sigmoid', [result], 'probabilities');
  return build.add('Softmax', [result], 'probabilities', { axis: intAttribute(1) });
}

/** [batch, branches]: 1 where what a branch asks holds. */
function asked(build: NodeBuilder, x: Value, branches: readonly Branch[], dtype: DType): Value {
  const features = branches.map(({ feature }) => feature);
  const values = build.gather(x, tensorFromInt64(features, [features.length]), 1, 'values');
  const row = (of: (branch: Branch) => number, name: string): Value =>
    build.constant(tensorFromNumbers(dtype, branches.map(of), [1, branches.length]), name);
  const flags = (of: (branch: Branch) => boolean): Value =>
    build.constant(
      tensorFromNumbers(
        'bool',
        branches.map((branch) => Number(of(branch))),
        [1, branches.length],
      ),
      'flags',
    );
  const splits = row(({ split }) => split, 'splits');
  const compare = (opType: string, isNegated = false): Value => {
    const made = build.add(opType, [values, splits], 'compared');
    return isNegated ? build.add('Not', [made], 'compared') : made;
  };
  const member = (): Value => {
    const size = Math.max(1, ...branches.map(({ members }) => members.length));
    // A set that is too small repeats its first; an empty one has nothing, which is equal to nothing.
    const columns = Array.from({ length: size }, (_, at) =>
      build.add('Equal', [values, row(({ members }) => members[at] ?? members[0] ?? Number.NaN, 'member')], 'equal'),
    );
    return columns.reduce((any, column) => build.add('Or', [any, column], 'member'));
  };
  // Written with what is false of NaN, so that a missing value takes the way of what does not hold.
  const kinds: Readonly<Record<Mode, () => Value>> = {
    lt: () => compare('Less'),
    gt: () => compare('Greater'),
    eq: () => compare('Equal'),
    neq: () => compare('Equal', true),
    leq: () => build.add('Or', [compare('Less'), compare('Equal')], 'compared'),
    gte: () => build.add('Or', [compare('Greater'), compare('Equal')], 'compared'),
    member,
  };
  const modes = [...new Set(branches.map(({ mode }) => mode))];
  let holds: Value | null = null;
  for (const mode of modes) {
    const all = kinds[mode]();
    const own = modes.length === 1 ? all : build.add('And', [all, flags((branch) => branch.mode === mode)], 'own');
    holds = holds === null ? own : build.add('Or', [holds, own], 'holds');
  }
  if (branches.some(({ missingHolds }) => missingHolds)) {
    const isMissing = build.add(
      'And',
      [build.add('IsNaN', [values], 'missing'), flags((branch) => branch.missingHolds)],
      'missing',
    );
    holds = build.add('Or', [holds as Value, isMissing], 'holds');
  }
  return build.cast(holds as Value, dtype);
}
