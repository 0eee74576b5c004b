/** Ensembles of trees as products: what the engine says of the model before and after. */
import { describe, expect, it } from 'vitest';
import { onnxBytes } from '../../../native-workers/formats/onnx/write.ts';
import {
  type Attribute,
  floatsAttribute,
  intAttribute,
  intsAttribute,
  stringAttribute,
  stringsAttribute,
} from '../../../native-workers/graph/attribute.ts';
import { cloneModel } from '../../../native-workers/graph/clone.ts';
import { expandTrees } from '../../../native-workers/graph/expand-trees.ts';
import type { Model } from '../../../native-workers/graph/model.ts';
import { validate } from '../../../native-workers/graph/validate.ts';
import type { HostTensor } from '../../../native-workers/lib/engine.ts';
import { Random } from '../../../native-workers/lib/random.ts';
import { openEngine } from '../../../native-workers/runtimes/onnxruntime.ts';
import { ModelBuilder } from '../../helpers/models.ts';

const engine = await openEngine();
const [FEATURES, TARGETS, ROWS] = [5, 3, 40];

interface Grown {
  readonly modes: readonly string[];
  readonly missing?: boolean;
  readonly attributes?: Readonly<Record<string, Attribute>>;
}

/** Trees grown at random, of several depths; a leaf may weigh on several targets. Values are halves, so that some are equal. */
function regressor({ modes, missing = false, attributes = {} }: Grown, seed: number): Model {
  const random = new Random(seed);
  const nodes: { tree: number; id: number; feature: number; mode: string; value: number; yes: number; no: number }[] =
    [];
  const leaves: { tree: number; id: number; target: number; weight: number }[] = [];
  const grow = (tree: number, next: { id: number }, depth: number): number => {
    const id = next.id++;
    const isLeaf = depth > 4 || (depth > 0 && random.float() < 0.2);
    const mode = isLeaf ? 'LEAF' : (modes[random.below(modes.length)] ?? 'LEAF');
    const node = { tree, id, feature: random.below(FEATURES), mode, value: random.below(9) / 2 - 2, yes: 0, no: 0 };
    nodes.push(node);
    if (isLeaf)
      for (let target = tree === 0 ? 0 : random.below(TARGETS); target < TARGETS; target++)
        leaves.push({ tree, id, target, weight: random.normal() });
    else {
      node.yes = grow(tree, next, depth + 1);
      node.no = grow(tree, next, depth + 1);
    }
    return id;
  };
  for (let tree = 0; tree < 6; tree++) grow(tree, { id: 0 }, 0);
  const build = new ModelBuilder();
  const ints = (of: (node: (typeof nodes)[number]) => number): Attribute => intsAttribute(nodes.map(of));
  const y = build.op(
    'TreeEnsembleRegressor',
    [build.input('x', [ROWS, FEATURES])],
    'y',
    {
      n_targets: intAttribute(TARGETS),
      nodes_treeids: ints(({ tree }) => tree),
      nodes_nodeids: ints(({ id }) => id),
      nodes_featureids: ints(({ feature }) => feature),
      nodes_truenodeids: ints(({ yes }) => yes),
      nodes_falsenodeids: ints(({ no }) => no),
      nodes_modes: stringsAttribute(nodes.map(({ mode }) => mode)),
      nodes_values: floatsAttribute(nodes.map(({ value }) => value)),
      ...(missing ? { nodes_missing_value_tracks_true: ints(({ id }) => id % 2) } : {}),
      target_treeids: intsAttribute(leaves.map(({ tree }) => tree)),
      target_nodeids: intsAttribute(leaves.map(({ id }) => id)),
      target_ids: intsAttribute(leaves.map(({ target }) => target)),
      target_weights: floatsAttribute(leaves.map(({ weight }) => weight)),
      ...attributes,
    },
    'ai.onnx.ml',
  );
  const model = build.outputs(y).model();
  model.opsets.set('ai.onnx.ml', 3);
  return model;
}

async function run(model: Model, missing: boolean): Promise<HostTensor> {
  const random = new Random(9);
  const data = Float32Array.from({ length: ROWS * FEATURES }, () =>
    missing && random.float() < 0.2 ? Number.NaN : random.below(9) / 2 - 2,
  );
  const session = await engine.open(onnxBytes(cloneModel(model).model));
  const { y } = await session.run({ x: { dtype: 'float32', shape: [ROWS, FEATURES], data } });
  await session.release();
  if (y === undefined) throw new Error('no output y');
  return y;
}

describe('expandTrees', () => {
  const CASES: readonly Grown[] = [
    { modes: ['BRANCH_LEQ'] },
    { modes: ['BRANCH_LT'], attributes: { base_values: floatsAttribute([1, -2, 0.5]) } },
    { modes: ['BRANCH_LEQ', 'BRANCH_LT', 'BRANCH_GTE', 'BRANCH_GT', 'BRANCH_EQ', 'BRANCH_NEQ'] },
    { modes: ['BRANCH_LEQ', 'BRANCH_GT'], missing: true },
    { modes: ['BRANCH_LEQ'], attributes: { post_transform: stringAttribute('SOFTMAX') } },
    {
      modes: ['BRANCH_LEQ'],
      attributes: { aggregate_function: stringAttribute('AVERAGE'), post_transform: stringAttribute('LOGISTIC') },
    },
  ];

  it.each(CASES.map((each, index) => [each.modes.join(), index, each] as const))(
    'gives what the engine does: %s (%i)',
    async (_, seed, each) => {
      const model = regressor(each, seed + 1);
      const before = await run(model, each.missing === true);
      expect(expandTrees(model, new Map())).toBe(1);
      validate(model);
      const after = await run(model, each.missing === true);
      expect(after.shape).toEqual(before.shape);
      const wanted = before.data as Float32Array;
      (after.data as Float32Array).forEach((value, at) => {
        expect(value).toBeCloseTo(wanted[at] ?? Number.NaN, 5);
      });
    },
  );

  it('leaves alone what takes the least of the trees, and trees that go round in a circle', () => {
    const least = regressor({ modes: ['BRANCH_LEQ'], attributes: { aggregate_function: stringAttribute('MIN') } }, 1);
    expect(expandTrees(least, new Map())).toBe(0);
    const circle = regressor({ modes: ['BRANCH_LEQ'] }, 1);
    for (const node of circle.graph.nodes)
      node.attributes.set('nodes_truenodeids', intsAttribute((node.ints('nodes_nodeids') ?? []).map(() => 0)));
    expect(expandTrees(circle, new Map())).toBe(0);
  });
});
