/** Random models come back from the wire as they were, whatever is in them. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readOnnxBytes } from '../../native-workers/formats/onnx/read.ts';
import { onnxBytes } from '../../native-workers/formats/onnx/write.ts';
import type { Attribute } from '../../native-workers/graph/attribute.ts';
import { cloneModel } from '../../native-workers/graph/clone.ts';
import { byteLength, DTYPES, type DType } from '../../native-workers/graph/dtype.ts';
import { Graph } from '../../native-workers/graph/graph.ts';
import { hashModel } from '../../native-workers/graph/hash.ts';
import { Model } from '../../native-workers/graph/model.ts';
import type { Tensor } from '../../native-workers/graph/tensor.ts';
import { tensorFromBytes, tensorFromStrings } from '../../native-workers/graph/tensor-values.ts';
import type { Dim, ValueType } from '../../native-workers/graph/types.ts';
import { validate } from '../../native-workers/graph/validate.ts';
import type { Value } from '../../native-workers/graph/value.ts';

const dtypes = fc.constantFrom(...(Object.keys(DTYPES) as DType[]));
const dim: fc.Arbitrary<Dim> = fc.oneof(fc.nat(9), fc.string({ minLength: 1, maxLength: 5 }), fc.constant(null));

const tensor: fc.Arbitrary<Tensor> = fc
  .tuple(dtypes, fc.array(fc.nat(4), { maxLength: 3 }), fc.string())
  .chain(([dtype, shape, text]) => {
    const count = shape.reduce((all, size) => all * size, 1);
    if (dtype === 'string') return fc.constant(tensorFromStrings(Array(count).fill(text), shape));
    const length = byteLength(dtype, count);
    return fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => tensorFromBytes(dtype, shape, bytes));
  });

const type: fc.Arbitrary<ValueType> = fc.letrec<{ type: ValueType }>((tie) => ({
  type: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.record({
      kind: fc.constantFrom('tensor' as const, 'sparse' as const),
      dtype: fc.option(dtypes),
      shape: fc.option(fc.array(dim, { maxLength: 4 })),
    }),
    fc.record({ kind: fc.constantFrom('sequence' as const, 'optional' as const), element: fc.option(tie('type')) }),
    fc.record({ kind: fc.constant('map' as const), key: fc.option(dtypes), value: fc.option(tie('type')) }),
  ),
})).type;

const plainAttribute: fc.Arbitrary<Attribute> = fc.oneof(
  fc.record({ type: fc.constant('float' as const), value: fc.float({ noNaN: true }) }),
  fc.record({ type: fc.constant('int' as const), value: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }) }),
  fc.record({ type: fc.constant('string' as const), value: fc.uint8Array() }),
  fc.record({ type: fc.constant('tensor' as const), value: tensor }),
  fc.record({ type: fc.constant('type' as const), value: type }),
  fc.record({ type: fc.constant('floats' as const), value: fc.array(fc.float({ noNaN: true })) }),
  fc.record({
    type: fc.constant('ints' as const),
    value: fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
  }),
  fc.record({ type: fc.constant('strings' as const), value: fc.array(fc.uint8Array({ maxLength: 4 })) }),
  fc.record({ type: fc.constant('tensors' as const), value: fc.array(tensor, { maxLength: 3 }) }),
  fc.record({ type: fc.constant('types' as const), value: fc.array(type, { maxLength: 3 }) }),
  fc.record({
    type: fc.constant('reference' as const),
    value: fc.string({ minLength: 1 }),
    typeCode: fc.integer({ min: 1, max: 14 }),
  }),
);

interface NodePlan {
  readonly opType: string;
  readonly domain: string;
  readonly reads: readonly number[];
  readonly outputs: number;
  readonly attributes: readonly Attribute[];
  readonly inner: readonly NodePlan[] | null;
  readonly type: ValueType | null;
  readonly docString: string;
}

const nodePlan: fc.Arbitrary<NodePlan> = fc.letrec<{ node: NodePlan }>((tie) => ({
  node: fc.record({
    opType: fc.constantFrom('Add', 'Conv', 'Unheard', 'If'),
    domain: fc.constantFrom('', 'com.microsoft', 'my.own'),
    reads: fc.array(fc.nat(), { maxLength: 4 }),
    outputs: fc.integer({ min: 1, max: 3 }),
    attributes: fc.array(plainAttribute, { maxLength: 3 }),
    inner: fc.option(fc.array(tie('node'), { maxLength: 3 }), { depthSize: 'small', maxDepth: 2, freq: 4 }),
    type: fc.option(type),
    docString: fc.string(),
  }),
})).node;

const model: fc.Arbitrary<Model> = fc
  .record({
    name: fc.string(),
    inputs: fc.array(type, { maxLength: 3 }),
    weights: fc.array(tensor, { maxLength: 4 }),
    nodes: fc.array(nodePlan, { maxLength: 8 }),
    metadata: fc.dictionary(fc.string(), fc.string(), { noNullPrototype: true, maxKeys: 3 }),
    irVersion: fc.integer({ min: 4, max: 13 }),
    opset: fc.integer({ min: 7, max: 25 }),
    version: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  })
  .map((plan) => {
    const graph = new Graph(plan.name);
    const names = { next: 0 };
    const visible: Value[] = [];
    for (const [index, each] of plan.inputs.entries()) visible.push(graph.addInput(`in${index}`, each));
    for (const [index, each] of plan.weights.entries()) visible.push(graph.addInitializer(`w${index}`, each));
    build(graph, plan.nodes, visible, names);
    const made = new Model(graph, plan.opset, plan.irVersion);
    for (const [key, value] of Object.entries(plan.metadata)) made.metadata.set(key, value);
    made.modelVersion = plan.version;
    return made;
  });

/** Adds nodes that read what is visible; inner graphs see it too. The last value made becomes an output. */
function build(graph: Graph, plans: readonly NodePlan[], outer: readonly Value[], names: { next: number }): void {
  const visible = [...outer];
  for (const plan of plans) {
    const node = graph.addNode({
      opType: plan.opType,
      domain: plan.domain,
      inputs: plan.reads.map((read) =>
        visible.length === 0 || read % 7 === 0 ? null : (visible[read % visible.length] ?? null),
      ),
      attributes: plan.attributes.map((attribute, index) => [`a${index}`, attribute] as const),
    });
    node.docString = plan.docString;
    if (plan.inner !== null) {
      const inner = new Graph(`g${names.next++}`);
      build(inner, plan.inner, visible, names);
      node.attributes.set('body', { type: 'graph', value: inner });
    }
    for (let index = 0; index < plan.outputs; index++) {
      const value = graph.createValue(`v${names.next++}`, plan.type);
      node.setOutput(index, value);
      visible.push(value);
    }
  }
  const last = visible.at(-1);
  if (last?.producer?.graph === graph) graph.outputs.push(last);
}

describe('any model', () => {
  it('comes back from its bytes as it was', () => {
    fc.assert(
      fc.property(model, (original) => {
        validate(original);
        const bytes = onnxBytes(original);
        const read = readOnnxBytes(bytes);
        validate(read);
        expect(hashModel(read)).toBe(hashModel(original));
        expect(Buffer.compare(onnxBytes(read), bytes)).toBe(0);
      }),
      { numRuns: 300 },
    );
  });

  it('is the same as its clone', () => {
    fc.assert(
      fc.property(model, (original) => {
        const { model: copy } = cloneModel(original);
        validate(copy);
        expect(Buffer.compare(onnxBytes(copy), onnxBytes(original))).toBe(0);
      }),
      { numRuns: 100 },
    );
  });
});
