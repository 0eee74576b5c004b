import { describe, expect, it } from 'vitest';
import type { Graph } from '../../../native-workers/graph/graph.ts';
import { scalarTensor } from '../../../native-workers/graph/tensor-values.ts';
import { tensorType } from '../../../native-workers/graph/types.ts';
import { validate } from '../../../native-workers/graph/validate.ts';
import { Value } from '../../../native-workers/graph/value.ts';
import { ModelBuilder, tinyClassifier } from '../../helpers/models.ts';

function firstNode(graph: Graph) {
  const [node] = graph.nodes;
  if (node === undefined) throw new Error('The graph has no node.');
  return node;
}

describe('validate', () => {
  it('accepts a good model', () => {
    expect(() => validate(tinyClassifier())).not.toThrow();
  });

  const faults: [string, string, (graph: Graph) => void][] = [
    ['a cycle', 'graph-cycle', (graph) => firstNode(graph).setInput(0, [...graph.nodes].at(2)?.outputs[0] ?? null)],
    ['an input that nothing makes', 'graph-missing-input', (graph) => firstNode(graph).setInput(0, new Value('ghost'))],
    ['an output that nothing makes', 'graph-missing-input', (graph) => graph.outputs.push(new Value('ghost'))],
    [
      'two values of one name',
      'graph-duplicate-name',
      (graph) => {
        const output = firstNode(graph).outputs[0];
        if (output) output.name = 'kernel';
      },
    ],
    [
      'a link that one side forgot',
      'graph-invalid',
      (graph) => firstNode(graph).inputs[0]?.consumers.delete(firstNode(graph)),
    ],
    [
      'a consumer that does not read',
      'graph-invalid',
      (graph) => graph.inputs[0]?.consumers.add([...graph.nodes].at(-1) ?? firstNode(graph)),
    ],
    [
      'a weight of another type than declared',
      'graph-invalid',
      (graph) => {
        const [weight] = graph.initializers;
        if (weight) weight.type = tensorType('int8', [4, 3, 3, 3]);
      },
    ],
    [
      'a weight of another shape than declared',
      'graph-invalid',
      (graph) => {
        const [weight] = graph.initializers;
        if (weight) weight.type = tensorType('float32', ['any', 3, 3, 4]);
      },
    ],
    [
      'a tensor on a node output',
      'graph-invalid',
      (graph) => {
        const output = firstNode(graph).outputs[0];
        if (output) output.tensor = scalarTensor('float32', 1);
      },
    ],
    [
      'a node of another graph',
      'graph-invalid',
      (graph) => {
        firstNode(graph).graph = null;
      },
    ],
  ];
  it.each(faults)('finds %s', (_name, code, break_) => {
    const model = tinyClassifier();
    break_(model.graph);
    expect(() => validate(model)).toThrow(expect.objectContaining({ code, where: expect.anything() }));
  });

  it('lets a subgraph read outer values, and not the other way round', () => {
    const inner = new ModelBuilder('inner');
    const build = new ModelBuilder();
    const data = build.input('data', [1]);
    const made = inner.op('Relu', [data], 'made');
    inner.outputs(made);
    const condition = build.input('condition', [], 'bool');
    const branch = { type: 'graph', value: inner.graph } as const;
    const chosen = build.op('If', [condition], 'chosen', { then_branch: branch, else_branch: branch });
    const other = new ModelBuilder('other');
    const elsewhere = other.op('Abs', [data], 'elsewhere');
    other.outputs(elsewhere);
    const model = build.outputs(chosen).model();
    [...model.graph.nodes][0]?.attributes.set('else_branch', { type: 'graph', value: other.graph });
    expect(() => validate(model)).not.toThrow();
    model.graph.outputs.push(made);
    expect(() => validate(model)).toThrow(expect.objectContaining({ code: 'graph-missing-input' }));
  });
});
