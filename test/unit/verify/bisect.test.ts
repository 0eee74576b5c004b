import { describe, expect, it } from 'vitest';
import type { ArtifactOperator } from '../../../native-workers/artifacts/target.ts';
import { onnxBytes } from '../../../native-workers/formats/onnx/write.ts';
import { cloneModel } from '../../../native-workers/graph/clone.ts';
import type { Model } from '../../../native-workers/graph/model.ts';
import type { Node } from '../../../native-workers/graph/node.ts';
import { openEngine } from '../../../native-workers/runtimes/onnxruntime.ts';
import { type BisectRequest, firstDivergence } from '../../../native-workers/verify/bisect.ts';
import { differences } from '../../../native-workers/verify/verify-artifact.ts';
import { typesOf } from '../../../native-workers/worker/engine-models.ts';
import { ModelBuilder } from '../../helpers/models.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

const engine = await openEngine();
const x = {
  dtype: 'float32',
  shape: [1, 8],
  data: Float32Array.from({ length: 8 }, (_, index) => Math.sin(index + 1) + 1.5),
} as const;

/** A chain of Relu, Sigmoid and the like with a branch of its own: x -> chain -> Add(branch) -> y. */
function branched(): Model {
  const build = new ModelBuilder('branched');
  const input = build.input('x', [1, 8]);
  let value = input;
  for (let index = 0; index < 6; index++)
    value = build.op(index % 2 === 0 ? 'Softplus' : 'Tanh', [value], `main${index}`);
  let side = input;
  for (let index = 0; index < 6; index++) side = build.op(index % 2 === 0 ? 'Exp' : 'Sigmoid', [side], `side${index}`);
  return build.outputs(build.op('Add', [value, side], 'y')).model();
}

const operatorOf = (node: Node, index: number): ArtifactOperator => ({
  index,
  type: node.opType,
  outputs: node.outputs.flatMap((output) => (output === null ? [] : [output.name])),
  sources: [node.label],
});

/** An "artifact" that is the model with some of its operators replaced: a writer that is wrong about them. */
async function bisect(model: Model, wrong: Readonly<Record<string, string>>, more: Partial<BisectRequest> = {}) {
  const types = await typesOf(engine, temporaryFolder())(model);
  let made = 0;
  const found = await firstDivergence({
    model,
    types,
    open: (probe) => engine.open(onnxBytes(probe)),
    artifactOf: async (probe) => {
      made++;
      const copy = cloneModel(probe).model;
      for (const node of copy.graph.nodes) node.opType = wrong[node.name] ?? node.opType;
      const session = await engine.open(onnxBytes(copy));
      return {
        run: (feeds) => session.run(feeds),
        operators: async () => [...copy.graph.nodes].map(operatorOf),
        release: () => session.release(),
      };
    },
    inputs: [{ x }],
    differs: (difference) => differences(difference, { float: 1e-4, steps: 3 }).length > 0,
    progress: async () => undefined,
    ...more,
  });
  return { found, made };
}

describe('firstDivergence', () => {
  it('names the one operator that a writer gets wrong, in both formats, in few artifacts', async () => {
    const { found, made } = await bisect(branched(), { main3_node: 'Sigmoid' });
    expect(found).toMatchObject({ node: 'main3_node', type: 'Tanh', artifact: 'Sigmoid 3 (main3)' });
    expect(found?.maxAbs).toBeGreaterThan(1e-3);
    expect(made).toBeLessThan(10);
  });

  it.each(['side0_node', 'side2_node', 'main0_node', 'main5_node', 'y_node'])(
    'finds %s across branches',
    async (name) => {
      const types: Record<string, string> = {
        y_node: 'Mul',
        main0_node: 'Exp',
        side0_node: 'Softplus',
        side2_node: 'Softplus',
      };
      const { found } = await bisect(branched(), { [name]: types[name] ?? 'Sigmoid' });
      expect(found?.node).toBe(name);
    },
  );

  it('names one whose own operands agree when two are wrong', async () => {
    const { found } = await bisect(branched(), { side1_node: 'Tanh', main4_node: 'Exp' });
    expect(['side1_node', 'main4_node']).toContain(found?.node);
  });

  it('looks on a sample that differs', async () => {
    const positive = { ...x, data: x.data.map((value) => Math.abs(value)) };
    const negative = { ...x, data: x.data.map((value) => -Math.abs(value)) };
    const build = new ModelBuilder();
    const model = build.outputs(build.op('Neg', [build.op('Abs', [build.input('x', [1, 8])], 'a')], 'y')).model();
    const wrong = { a_node: 'Identity' };
    expect((await bisect(model, wrong, { inputs: [{ x: positive }, { x: negative }] })).found?.node).toBe('a_node');
    expect((await bisect(model, wrong, { inputs: [{ x: positive }] })).found).toBeNull();
  });

  it('goes round values that cannot be put out', async () => {
    const model = branched();
    const artifactOf = async (probe: Model) => {
      if (probe.graph.outputs.some(({ name }) => name === 'main2' || name === 'side3')) throw new Error('not here');
      const copy = cloneModel(probe).model;
      for (const node of copy.graph.nodes) if (node.name === 'main4_node') node.opType = 'Exp';
      const session = await engine.open(onnxBytes(copy));
      return { run: session.run.bind(session), operators: async () => [], release: () => session.release() };
    };
    const { found } = await bisect(model, {}, { artifactOf });
    expect(found).toMatchObject({ node: 'main4_node', artifact: 'main4' });
  });

  it('finds nothing where nothing differs, and lets a cancel through', async () => {
    expect((await bisect(branched(), {})).found).toBeNull();
    const { HoneError } = await import('../../../native-workers/protocol/errors.ts');
    const progress = async (): Promise<void> => {
      throw new HoneError('cancelled', 'stop');
    };
    await expect(bisect(branched(), { main3_node: 'Sigmoid' }, { progress })).rejects.toMatchObject({
      code: 'cancelled',
    });
  });
});
