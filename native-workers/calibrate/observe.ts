/**
 * Statistics of activations in bounded memory: two passes over the data, one batch at a time. The first pass lets the engine
 * reduce every observed tensor to its minimum and maximum inside the graph, so nothing but scalars comes out; the second adds
 * the tensors' elements to histograms of the range that the first found, in groups of outputs that fit a byte limit.
 * The graph is optimised while it is observed: the engine fuses around the extra outputs.
 */
import { intAttribute, intsAttribute } from '../graph/attribute.ts';
import { cloneModel } from '../graph/clone.ts';
import type { Graph } from '../graph/graph.ts';
import type { Model } from '../graph/model.ts';
import { Tensor } from '../graph/tensor.ts';
import { MemoryData } from '../graph/tensor-data.ts';
import { tensorType } from '../graph/types.ts';
import type { Value } from '../graph/value.ts';
import type { Feeds, HostTensor, Session, SessionOptions } from '../lib/engine.ts';
import { HoneError } from '../protocol/errors.ts';
import { Histogram } from './histogram.ts';
import type { Range } from './quantization-parameters.ts';
import type { TensorStatistics } from './range-methods.ts';

export type OpenModel = (model: Model, options?: SessionOptions) => Promise<Session>;

export interface ObserveRequest {
  readonly model: Model;
  /** Float32 values of the top-level graph: activations, not initializers. */
  readonly values: readonly Value[];
  /** Those of `values` whose mean and largest magnitude by channel are wanted, with the channel axis. */
  readonly channels: ReadonlyMap<Value, number>;
  readonly batches: () => AsyncIterable<Feeds>;
  /** How many batches there are, for progress. */
  readonly batchCount: number;
  readonly open: OpenModel;
  readonly progress: (done: number, total: number, what: string) => Promise<void>;
  /** Largest sum of the sizes of the tensors brought out of the engine at once, in bytes. */
  readonly maxBytes: number;
  readonly histograms: boolean;
}

export interface Observation extends TensorStatistics {
  /** Means over all elements of a channel and the largest magnitude in it; null unless asked for. */
  readonly channels: { readonly mean: Float32Array; readonly absMax: Float32Array } | null;
  /** Batches in which the tensor held NaN or infinity; they are left out of its statistics. */
  readonly notFinite: number;
}

interface Running {
  min: number;
  max: number;
  average: { min: number; max: number } | null;
  elements: number;
  batches: number;
  notFinite: number;
  mean: Float64Array | null;
  absMax: Float32Array | null;
  histogram: Histogram | null;
}

/** The factor of the moving average of ranges. */
const MOVING_AVERAGE = 0.01;
/** A tensor longer than this gives the histogram an even sample of its elements; its range stays exact. */
const HISTOGRAM_ELEMENTS = 1 << 20;

/**
 * Runs the data through the model and returns the statistics of every asked value that was finite at least once.
 * Throws `data-empty` when there are no batches.
 */
export async function observe(request: ObserveRequest): Promise<Map<Value, Observation>> {
  const running = new Map<Value, Running>();
  await reduceRanges(request, running);
  if (request.histograms) await fillHistograms(request, running);
  const observations = new Map<Value, Observation>();
  for (const [value, state] of running) {
    if (state.batches === 0) continue;
    const range: Range = { min: state.min, max: state.max };
    observations.set(value, {
      range,
      average: state.average ?? range,
      histogram: state.histogram,
      notFinite: state.notFinite,
      channels:
        state.mean !== null && state.absMax !== null
          ? { mean: Float32Array.from(state.mean, (sum) => sum / state.batches), absMax: state.absMax }
          : null,
    });
  }
  return observations;
}

async function reduceRanges(request: ObserveRequest, running: Map<Value, Running>): Promise<void> {
  const { model, values } = cloneModel(request.model);
  const graph = model.graph;
  graph.outputs.length = 0;
  const reduction = (value: Value, opType: string, axes: number[] | null, suffix: string): string => {
    const node = graph.addNode({ opType, inputs: [value] });
    if (opType !== 'Size') {
      node.attributes.set('keepdims', intAttribute(0));
      // The axes are an attribute up to opset 17 and an input from 18 on (ReduceMin, ReduceMax, ReduceMean alike).
      if (axes !== null && model.opset < 18) node.attributes.set('axes', intsAttribute(axes));
      else if (axes !== null) node.setInput(1, axesInitializer(graph, axes));
    }
    const output = graph.createValue(
      `${value.name}.${suffix}`,
      tensorType(opType === 'Size' ? 'int64' : 'float32', null),
    );
    node.setOutput(0, output);
    graph.outputs.push(output);
    return output.name;
  };
  const names = request.values.map((original) => {
    const value = mapped(values, original);
    const axis = request.channels.get(original);
    const rank = value.type?.kind === 'tensor' ? value.type.shape?.length : undefined;
    const others = axis === undefined || rank === undefined ? null : otherAxes(rank, axis);
    const byChannel = others !== null;
    return {
      original,
      min: reduction(value, 'ReduceMin', null, 'min'),
      max: reduction(value, 'ReduceMax', null, 'max'),
      sum: reduction(value, 'ReduceMean', null, 'mean'),
      size: reduction(value, 'Size', null, 'size'),
      channelMean: byChannel ? reduction(value, 'ReduceMean', others, 'channelMean') : null,
      channelMin: byChannel ? reduction(value, 'ReduceMin', others, 'channelMin') : null,
      channelMax: byChannel ? reduction(value, 'ReduceMax', others, 'channelMax') : null,
    };
  });
  const session = await request.open(model);
  let batches = 0;
  try {
    for await (const feeds of request.batches()) {
      const outputs = await session.run(feeds);
      for (const name of names) {
        const state = running.get(name.original) ?? emptyState();
        running.set(name.original, state);
        const min = scalar(outputs[name.min]);
        const max = scalar(outputs[name.max]);
        // The mean is NaN where any element is; the engine's minimum and maximum may pass a NaN over.
        if (!Number.isFinite(min) || !Number.isFinite(max) || Number.isNaN(scalar(outputs[name.sum]))) {
          state.notFinite++;
          continue;
        }
        merge(state, min, max, scalar(outputs[name.size]));
        if (name.channelMean !== null && name.channelMin !== null && name.channelMax !== null) {
          const channelMin = floats(outputs[name.channelMin]);
          const channelMax = floats(outputs[name.channelMax]);
          const absMax = state.absMax ?? new Float32Array(channelMax.length);
          const mean = state.mean ?? new Float64Array(channelMax.length);
          floats(outputs[name.channelMean]).forEach((channel, index) => {
            mean[index] = (mean[index] ?? 0) + channel;
            absMax[index] = Math.max(
              absMax[index] ?? 0,
              Math.abs(channelMin[index] ?? 0),
              Math.abs(channelMax[index] ?? 0),
            );
          });
          state.absMax = absMax;
          state.mean = mean;
        }
      }
      await request.progress(++batches, request.batchCount * (request.histograms ? 2 : 1), 'ranges');
    }
  } finally {
    await session.release();
  }
  if (batches === 0) throw new HoneError('data-empty', 'The calibration data holds no samples.');
}

async function fillHistograms(request: ObserveRequest, running: Map<Value, Running>): Promise<void> {
  const wide = request.values.filter((value) => {
    const state = running.get(value);
    return state !== undefined && state.batches > 0 && state.max > state.min;
  });
  const groups = groupByBytes(wide, (value) => (running.get(value)?.elements ?? 0) * 4, request.maxBytes);
  let done = 0;
  for (const group of groups) {
    const { model, values } = cloneModel(request.model);
    model.graph.outputs.length = 0;
    for (const original of group) model.graph.outputs.push(mapped(values, original));
    const session = await request.open(model);
    try {
      for await (const feeds of request.batches()) {
        const outputs = await session.run(feeds);
        for (const original of group) {
          const state = running.get(original);
          if (state === undefined) continue;
          state.histogram ??= new Histogram({ min: state.min, max: state.max });
          const elements = floats(outputs[original.name]);
          state.histogram.add(elements, Math.max(1, Math.ceil(elements.length / HISTOGRAM_ELEMENTS)));
        }
        done++;
        await request.progress(
          request.batchCount + Math.ceil(done / groups.length),
          request.batchCount * 2,
          `histograms, group of ${group.length} tensors`,
        );
      }
    } finally {
      await session.release();
    }
  }
}

function emptyState(): Running {
  return {
    min: Number.POSITIVE_INFINITY,
    max: Number.NEGATIVE_INFINITY,
    average: null,
    elements: 0,
    batches: 0,
    notFinite: 0,
    mean: null,
    absMax: null,
    histogram: null,
  };
}

function merge(state: Running, min: number, max: number, elements: number): void {
  state.min = Math.min(state.min, min);
  state.max = Math.max(state.max, max);
  state.elements = Math.max(state.elements, elements);
  state.batches++;
  state.average =
    state.average === null
      ? { min, max }
      : {
          min: state.average.min + MOVING_AVERAGE * (min - state.average.min),
          max: state.average.max + MOVING_AVERAGE * (max - state.average.max),
        };
}

/** Splits `values` into runs whose sizes add up to at most `limit`; a value larger than that gets a group of its own. */
function groupByBytes(values: readonly Value[], bytes: (value: Value) => number, limit: number): Value[][] {
  const groups: Value[][] = [];
  let sum = Number.POSITIVE_INFINITY;
  for (const value of values) {
    const size = bytes(value);
    if (sum + size > limit) {
      groups.push([]);
      sum = 0;
    }
    groups.at(-1)?.push(value);
    sum += size;
  }
  return groups;
}

function axesInitializer(graph: Graph, axes: readonly number[]): Value {
  const bytes = new Uint8Array(BigInt64Array.from(axes, BigInt).buffer);
  const tensor = new Tensor({ dtype: 'int64', shape: [axes.length], data: new MemoryData(bytes) });
  return graph.addInitializer(graph.uniqueName('axes'), tensor);
}

function otherAxes(rank: number, axis: number): number[] {
  const channel = axis < 0 ? axis + rank : axis;
  return Array.from({ length: rank }, (_, index) => index).filter((index) => index !== channel);
}

function mapped(values: ReadonlyMap<Value, Value>, original: Value): Value {
  const copy = values.get(original);
  if (copy === undefined)
    throw new HoneError('internal', `The value ${original.name} is not of the model that is calibrated.`);
  return copy;
}

function floats(tensor: HostTensor | undefined): Float32Array {
  if (tensor?.data instanceof Float32Array) return tensor.data;
  throw new HoneError('internal', `An observed tensor came out as ${tensor?.dtype ?? 'nothing'} and not as float32.`);
}

function scalar(tensor: HostTensor | undefined): number {
  return Number(tensor?.data[0] ?? Number.NaN);
}
