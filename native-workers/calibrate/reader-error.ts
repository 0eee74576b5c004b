/**
 * What quantizing a value changes in the outputs of the nodes that read it, for many candidate parameters at once. Beside each
 * reader stand copies of it that read the quantized value, one a candidate, and the graph itself reduces the difference of
 * their outputs to one number. So one run of the model judges all candidates of all values, for about as many times its
 * multiplications as a value has candidates.
 */
import { cloneModel } from '../graph/clone.ts';
import type { Graph } from '../graph/graph.ts';
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import { tensorFromNumbers } from '../graph/tensor-values.ts';
import { tensorType } from '../graph/types.ts';
import type { Value } from '../graph/value.ts';
import type { Feeds } from '../lib/engine.ts';
import { HoneError } from '../protocol/errors.ts';
import type { OpenModel } from './observation.ts';
import { quantizationDomain } from './quantization-domain.ts';
import type { QuantizationParameters } from './quantization-parameters.ts';

/** A value whose quantization is judged, in terms of the given model. */
export interface JudgedValue {
  readonly value: Value;
  /** The nodes that would read it quantized. */
  readonly readers: readonly Node[];
  readonly candidates: readonly QuantizationParameters[];
}

const PREFIX = 'hone.error';

/**
 * For each judged value, in order, the error of each of its candidates: squared error over power of a reader's output, summed
 * over readers and batches. Readers whose outputs are no floats make the engine refuse the model (`runtime-rejected-model`).
 */
export async function readerErrors(
  model: Model,
  judged: readonly JudgedValue[],
  batches: AsyncIterable<Feeds>,
  open: OpenModel,
): Promise<number[][]> {
  const { model: copy, values, nodes } = cloneModel(model);
  const { graph } = copy;
  graph.outputs.length = 0;
  // The last values first: the engine works towards the newest nodes first, and need not keep what early layers make for long.
  const measures = [...judged.entries()].reverse().flatMap(([index, item]) => {
    const value = values.get(item.value);
    if (value === undefined) throw new HoneError('internal', 'A value that is judged is not of the model.');
    const readers = item.readers.flatMap((reader) => nodes.get(reader) ?? []);
    const powers = readers.map((reader) => sumOfSquares(graph, reader.outputs[0] as Value));
    return item.candidates.flatMap((parameters, candidate) => {
      const quantized = roundTrip(copy, value, parameters);
      return readers.map((reader, at) => {
        const difference = add(graph, 'Sub', [repeat(graph, reader, value, quantized), reader.outputs[0] as Value]);
        return { index, candidate, error: sumOfSquares(graph, difference), power: powers[at] as string };
      });
    });
  });
  const errors = judged.map(({ candidates }) => candidates.map(() => 0));
  // Values that nothing reads, as outputs of the model are.
  if (measures.length === 0) return errors;
  // The copies of a reader share its weight; packed or laid out for the kernel, it would be in memory twice.
  const session = await open(copy, {
    optimization: 'extended',
    memoryPattern: false,
    config: { 'session.disable_prepacking': '1' },
  });
  try {
    for await (const feeds of batches) {
      const outputs = await session.run(feeds);
      const at = (name: string): number => Number(outputs[name]?.data[0] ?? Number.NaN);
      for (const { index, candidate, error, power } of measures) {
        const own = errors[index] as number[];
        own[candidate] = (own[candidate] as number) + at(error) / Math.max(at(power), 1e-30);
      }
    }
  } finally {
    await session.release();
  }
  return errors;
}

/** The name of an output of the graph that is the sum of the squares of `value`. */
function sumOfSquares(graph: Graph, value: Value): string {
  const sum = add(graph, 'ReduceSumSquare', [value]);
  sum.type = tensorType('float32', null);
  graph.outputs.push(sum);
  return sum.name;
}

function roundTrip(model: Model, value: Value, { type, scale, zeroPoint }: QuantizationParameters): Value {
  const { graph } = model;
  const domain = quantizationDomain(model, type);
  const parameters = [
    graph.addInitializer(graph.uniqueName(`${PREFIX}.scale`), tensorFromNumbers('float32', [scale], [])),
    graph.addInitializer(graph.uniqueName(`${PREFIX}.zero`), tensorFromNumbers(type, [zeroPoint], [])),
  ];
  return add(
    graph,
    'DequantizeLinear',
    [add(graph, 'QuantizeLinear', [value, ...parameters], domain), ...parameters],
    domain,
  );
}

/** A copy of `node` that reads `after` in place of `before`. */
function repeat(graph: Graph, node: Node, before: Value, after: Value): Value {
  const output = graph.createValue(`${PREFIX}.${node.opType}`);
  graph.addNode({
    opType: node.opType,
    domain: node.domain,
    inputs: node.inputs.map((input) => (input === before ? after : input)),
    outputs: [output],
    attributes: node.attributes,
  });
  return output;
}

function add(graph: Graph, opType: string, inputs: readonly Value[], domain = ''): Value {
  const output = graph.createValue(`${PREFIX}.${opType}`);
  graph.addNode({ opType, domain, inputs, outputs: [output] });
  return output;
}
