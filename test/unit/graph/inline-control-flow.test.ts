/** If, Loop and Scan written out: what the engine says of the model before and after. */
import { describe, expect, it } from 'vitest';
import { onnxBytes } from '../../../native-workers/formats/onnx/write.ts';
import { type Attribute, intAttribute } from '../../../native-workers/graph/attribute.ts';
import { cloneModel } from '../../../native-workers/graph/clone.ts';
import { Graph } from '../../../native-workers/graph/graph.ts';
import { inlineControlFlow } from '../../../native-workers/graph/inline-control-flow.ts';
import type { Model } from '../../../native-workers/graph/model.ts';
import {
  scalarTensor,
  tensorFromHost,
  tensorFromNumbers,
  toNumbers,
} from '../../../native-workers/graph/tensor-values.ts';
import { tensorType } from '../../../native-workers/graph/types.ts';
import { validate } from '../../../native-workers/graph/validate.ts';
import type { Value } from '../../../native-workers/graph/value.ts';
import type { Feeds } from '../../../native-workers/lib/engine.ts';
import { openEngine } from '../../../native-workers/runtimes/onnxruntime.ts';
import { typesOf } from '../../../native-workers/worker/engine-models.ts';
import { ModelBuilder } from '../../helpers/models.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

const engine = await openEngine();
const graphAttribute = (value: Graph): Attribute => ({ type: 'graph', value });
const X = { dtype: 'float32', shape: [3], data: Float32Array.of(1, -2, 3) } as const;

function step(graph: Graph, opType: string, inputs: readonly Value[], name: string): Value {
  const output = graph.createValue(name);
  graph.addNode({ opType, inputs, outputs: [output] });
  return output;
}

async function run(model: Model, feeds: Feeds): Promise<Record<string, number[]>> {
  const session = await engine.open(onnxBytes(cloneModel(model).model));
  const results = await session.run(feeds);
  await session.release();
  return Object.fromEntries(Object.entries(results).map(([name, host]) => [name, toNumbers(tensorFromHost(host))]));
}

/** How many nodes were written out, and what the model gives before and after. */
async function inlined(model: Model, feeds: Feeds) {
  const before = await run(model, feeds);
  const types = await typesOf(engine, temporaryFolder())(model);
  const count = inlineControlFlow(model, types);
  validate(model);
  return { count, before, after: await run(model, feeds) };
}

/** If of a condition: x * 2, or -x. */
function choice(
  condition: (build: ModelBuilder) => Value,
  no: 'Neg' | 'ReduceSum' | 'RandomNormalLike' = 'Neg',
): Model {
  const build = new ModelBuilder();
  const x = build.input('x', [3]);
  const given = condition(build);
  const [yes, other] = [new Graph('yes'), new Graph('no')];
  const two = yes.addInitializer('two', scalarTensor('float32', 2));
  yes.outputs.push(step(yes, 'Mul', [x, two], 'doubled'));
  other.outputs.push(step(other, no, [x], 'negated'));
  const y = build.op('If', [given], 'y', { then_branch: graphAttribute(yes), else_branch: graphAttribute(other) });
  return build.outputs(build.op('Abs', [y], 'z')).model();
}

const constant = (value: number) => (build: ModelBuilder) =>
  build.graph.addInitializer('c', tensorFromNumbers('bool', [value], []));
const computed = (build: ModelBuilder): Value => build.input('c', [], 'bool');

/** Loop of a sum that doubles: `trips` as a constant, or as an input. */
function doubling(trips: number | null): Model {
  const build = new ModelBuilder();
  const x = build.input('x', [3]);
  const count =
    trips === null ? build.input('n', [], 'int64') : build.graph.addInitializer('n', scalarTensor('int64', trips));
  const body = new Graph('body');
  const number = body.addInput('i', tensorType('int64', []));
  const on = body.addInput('on', tensorType('bool', []));
  const state = body.addInput('s', tensorType('float32', [3]));
  const sum = step(body, 'Add', [state, state], 'sum');
  const cast = body.createValue('cast');
  body.addNode({ opType: 'Cast', inputs: [number], outputs: [cast], attributes: [['to', intAttribute(1)]] });
  const shifted = step(body, 'Add', [sum, cast], 'shifted');
  const still = step(body, 'Identity', [on], 'still');
  // The outer input is read inside as well.
  body.outputs.push(still, shifted, step(body, 'Mul', [shifted, x], 'row'));
  const last = build.op('Loop', [count, null as unknown as Value, x], 'last', { body: graphAttribute(body) });
  const rows = build.graph.createValue('rows');
  last.producer?.setOutput(1, rows);
  return build.outputs(last, rows).model();
}

describe('inlineControlFlow', () => {
  it.each([0, 1])('takes the branch of a condition that is %s', async (value) => {
    const model = choice(constant(value));
    const { count, before, after } = await inlined(model, { x: X });
    expect(count).toBe(1);
    expect(after).toEqual(before);
    expect([...model.graph.nodes].map(({ opType }) => opType)).toEqual(expect.not.arrayContaining(['If', 'Where']));
  });

  it.each([0, 1])('chooses between both branches where the condition is data: %s', async (value) => {
    const feeds = { x: X, c: { dtype: 'bool', shape: [], data: Uint8Array.of(value) } } as const;
    const { count, before, after } = await inlined(choice(computed), feeds);
    expect(count).toBe(1);
    expect(after).toEqual(before);
  });

  it.each(['ReduceSum', 'RandomNormalLike'] as const)('leaves branches alone of which one is %s', async (type) => {
    const model = choice(computed, type);
    const types = await typesOf(engine, temporaryFolder())(model);
    expect(inlineControlFlow(model, types)).toBe(0);
    expect([...model.graph.nodes].some((node) => node.is('If'))).toBe(true);
  });

  it('makes a scalar of a bound of Range that a branch gives as a vector', async () => {
    const build = new ModelBuilder();
    const given = build.input('count', [1], 'int64');
    const branch = (name: string): Graph => {
      const graph = new Graph(name);
      graph.outputs.push(step(graph, 'Identity', [given], `${name}_count`));
      return graph;
    };
    const condition = build.graph.addInitializer('yes', scalarTensor('bool', 1));
    const branches = { then_branch: graphAttribute(branch('then')), else_branch: graphAttribute(branch('else')) };
    const bound = build.op('If', [condition], 'bound', branches);
    const [zero, one] = [0, 1].map((value) =>
      build.graph.addInitializer(`n${value}`, scalarTensor('int64', value)),
    ) as [Value, Value];
    const model = build.outputs(build.op('Range', [zero, bound, one], 'y')).model();
    const [y] = model.graph.outputs;
    if (y !== undefined) y.type = tensorType('int64', null);
    expect(inlineControlFlow(model, new Map())).toBe(1);
    validate(model);
    const count = { dtype: 'int64', shape: [1], data: BigInt64Array.of(4n) } as const;
    expect(await run(model, { count })).toEqual({ y: [0, 1, 2, 3] });
  });

  it('writes out a loop of a known number of steps, with the rows that it collects', async () => {
    const { count, before, after } = await inlined(doubling(4), { x: X });
    expect(count).toBe(1);
    expect(before['rows']).toHaveLength(12);
    expect(after).toEqual(before);
  });

  it('leaves a loop alone that runs as often as data says, never, or too often', async () => {
    for (const model of [doubling(null), doubling(0), doubling(100_000)]) {
      expect(inlineControlFlow(model, new Map())).toBe(0);
      expect([...model.graph.nodes].some((node) => node.is('Loop'))).toBe(true);
    }
  });

  it.each([0, 1])('writes out a scan, in direction %s', async (direction) => {
    const build = new ModelBuilder();
    const x = build.input('x', [2, 3]);
    const start = build.weight('start', [2], 1);
    const body = new Graph('body');
    const state = body.addInput('s', tensorType('float32', [2]));
    const element = body.addInput('e', tensorType('float32', [2]));
    const sum = step(body, 'Add', [state, element], 'sum');
    body.outputs.push(sum, step(body, 'Neg', [sum], 'row'));
    const last = build.op('Scan', [start, x], 'last', {
      body: graphAttribute(body),
      num_scan_inputs: 1,
      scan_input_axes: [1],
      scan_input_directions: [direction],
      scan_output_directions: [direction],
      scan_output_axes: [1],
    });
    const rows = build.graph.createValue('rows');
    last.producer?.setOutput(1, rows);
    const feeds = { x: { dtype: 'float32', shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) } } as const;
    const { count, before, after } = await inlined(build.outputs(last, rows).model(), feeds);
    expect(count).toBe(1);
    expect(after).toEqual(before);
  });
});
