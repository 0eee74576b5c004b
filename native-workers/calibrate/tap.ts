/**
 * What a graph lets out of one of its values while data streams through it: its minimum, maximum and mean, its size, and an even part of
 * its elements, but never the tensor.
 */
import { intAttribute, intsAttribute } from '../graph/attribute.ts';
import type { Graph } from '../graph/graph.ts';
import type { Model } from '../graph/model.ts';
import { tensorFromNumbers } from '../graph/tensor-values.ts';
import { tensorType } from '../graph/types.ts';
import type { Value } from '../graph/value.ts';
import type { Feeds, HostTensor } from '../lib/engine.ts';
import { mapped, type ObserveRequest } from './observation.ts';

/** Names of what the graph makes of one value. */
export interface Tap {
  readonly original: Value;
  readonly min: string;
  readonly max: string;
  readonly mean: string;
  readonly size: string;
  readonly squares: string | null;
  /** Whether the statistics are by channel: those of all elements follow from them. */
  readonly byChannel: boolean;
  /** The elements for the histogram, and the inputs that say which they are: all from `start` on, `stride` apart. */
  readonly part: { readonly elements: string; readonly start: string; readonly stride: string } | null;
}

/** `values`: the copies of the original values in `model`, whose opset must be 10 at least where histograms are asked for. */
export function tap(
  model: Model,
  original: Value,
  values: ReadonlyMap<Value, Value>,
  request: Pick<ObserveRequest, 'channels' | 'histograms'>,
): Tap {
  const value = mapped(values, original);
  const { graph, opset } = model;
  const channel = request.channels.get(original);
  const others = channel === undefined ? null : otherAxes(channel.rank, channel.axis);
  const output = (suffix: string, dtype: 'float32' | 'int64' = 'float32'): Value => {
    const made = graph.createValue(graph.uniqueName(`${value.name}.${suffix}`), tensorType(dtype, null));
    graph.outputs.push(made);
    return made;
  };
  const reduce = (opType: string, suffix: string): string => {
    const node = graph.addNode({ opType, inputs: [value], attributes: [['keepdims', intAttribute(0)]] });
    // The axes are an attribute up to opset 17 and an input from 18 on (ReduceMin, ReduceMax, ReduceMean alike).
    if (others !== null && opset < 18) node.attributes.set('axes', intsAttribute(others));
    else if (others !== null) node.setInput(1, integers(graph, others));
    const reduced = output(suffix);
    node.setOutput(0, reduced);
    return reduced.name;
  };
  const size = output('size', 'int64');
  graph.addNode({ opType: 'Size', inputs: [value], outputs: [size] });
  const part = (): Tap['part'] => {
    const flat = graph.createValue(graph.uniqueName(`${value.name}.flat`));
    graph.addNode({ opType: 'Reshape', inputs: [value, integers(graph, [-1])], outputs: [flat] });
    const [start, stride] = ['start', 'stride'].map((name) =>
      graph.addInput(graph.uniqueName(`${value.name}.${name}`), tensorType('int64', [1])),
    ) as [Value, Value];
    const elements = output('elements');
    const [end, axis] = [integers(graph, [Number.MAX_SAFE_INTEGER]), integers(graph, [0])];
    graph.addNode({ opType: 'Slice', inputs: [flat, start, end, axis, stride], outputs: [elements] });
    return { elements: elements.name, start: start.name, stride: stride.name };
  };
  return {
    original,
    min: reduce('ReduceMin', 'min'),
    max: reduce('ReduceMax', 'max'),
    mean: reduce('ReduceMean', 'mean'),
    size: size.name,
    squares: channel?.squares === true ? reduce('ReduceSumSquare', 'squares') : null,
    byChannel: others !== null,
    part: request.histograms ? part() : null,
  };
}

/** The inputs that choose elements, from another place in each batch: steps of the golden ratio leave no gaps. */
export function partsOf(taps: readonly Tap[], strides: readonly number[], sample: number): Feeds {
  const shift = (sample * 0.6180339887) % 1;
  return Object.fromEntries(
    taps.flatMap(({ part }, index) => {
      if (part === null) return [];
      const stride = strides[index] ?? 1;
      return [
        [part.start, integer(Math.floor(shift * stride))],
        [part.stride, integer(stride)],
      ];
    }),
  );
}

/** The least step of at least `wanted` that meets every place of a row of `length` elements in time, whatever its axes are. */
export function evenStride(length: number, wanted: number): number {
  const divides = (a: number, b: number): boolean => (b === 0 ? a > 1 : divides(b, a % b));
  let stride = Math.max(1, Math.ceil(wanted));
  while (stride > 1 && divides(length, stride)) stride++;
  return stride;
}

function integers(graph: Graph, values: readonly number[]): Value {
  return graph.addInitializer(graph.uniqueName('integers'), tensorFromNumbers('int64', values, [values.length]));
}

function integer(value: number): HostTensor {
  return { dtype: 'int64', shape: [1], data: BigInt64Array.of(BigInt(value)) };
}

function otherAxes(rank: number, axis: number): number[] {
  const channel = axis < 0 ? axis + rank : axis;
  return Array.from({ length: rank }, (_, index) => index).filter((index) => index !== channel);
}
