/**
 * Statistics of activations in bounded memory: two passes over the data, one batch at a time. The first pass lets the engine
 * reduce every observed tensor to its minimum and maximum inside the graph, so nothing but scalars comes out; the second adds
 * the tensors' elements to histograms of the range that the first found and shows them to whoever asked for them, in groups of
 * outputs that fit a byte limit.
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
import { discard } from '../lib/discard.ts';
import type { Feeds, HostTensor, Session, SessionOptions } from '../lib/engine.ts';
import { HoneError } from '../protocol/errors.ts';
import { type Live, MOST_LIVE } from '../protocol/live.ts';
import { Histogram } from './histogram.ts';
import type { Range } from './quantization-parameters.ts';
import type { TensorStatistics } from './range-methods.ts';

export type OpenModel = (model: Model, options?: SessionOptions) => Promise<Session>;

/** Sees all elements of a value, batch by batch, in the second pass; not of a value that is constant. */
export interface ElementReader {
  readonly value: Value;
  /** `first`: the number of the first sample of the batch. */
  add(data: HostTensor, first: number): Promise<void>;
}

export interface ObserveRequest {
  readonly model: Model;
  /** Float32 values of the top-level graph: activations, not initializers. */
  readonly values: readonly Value[];
  /**
   * Those of `values` whose mean and largest magnitude by channel are wanted, with the channel axis and the rank; with `squares`, the
   * mean square too, which takes the engine five times as long as a mean.
   */
  readonly channels: ReadonlyMap<Value, { readonly axis: number; readonly rank: number; readonly squares?: boolean }>;
  /** The data, from its start; the argument limits the samples in a batch, where the model lets that be chosen. */
  readonly batches: (batchSize?: number) => AsyncIterable<Feeds>;
  /** How many samples the batches hold together, for progress. */
  readonly samples: number;
  readonly open: OpenModel;
  readonly progress: (done: number, total: number, what: string, live?: Live) => Promise<void>;
  /** Largest sum of the sizes of the observed tensors of one batch, in bytes; what is usual unless said. */
  readonly maxBytes?: number;
  readonly histograms: boolean;
  readonly readers?: readonly ElementReader[];
}

/** Of all elements of each channel. */
export interface ChannelStatistics {
  readonly mean: Float32Array;
  /** null unless asked for. */
  readonly meanSquare: Float32Array | null;
  readonly absMax: Float32Array;
}

export interface Observation extends TensorStatistics {
  /** By channel; null unless asked for. */
  readonly channels: ChannelStatistics | null;
  /** Elements of the tensor in the largest batch, and the samples of that batch. */
  readonly elements: number;
  readonly rows: number;
  /** Batches in which the tensor held NaN or infinity; they are left out of its statistics. */
  readonly notFinite: number;
}

interface Running {
  min: number;
  max: number;
  average: { min: number; max: number } | null;
  elements: number;
  rows: number;
  batches: number;
  notFinite: number;
  channels: { mean: Float64Array; meanSquare: Float64Array | null; absMax: Float32Array } | null;
  histogram: Histogram | null;
}

/** The factor of the moving average of ranges. */
const MOVING_AVERAGE = 0.01;
/** Samples in the batch that tells the sizes of the tensors: what the engine needs for a batch grows with it. */
const FIRST_BATCH = 2;
const MOST_BATCH = 32;
/** Activations of one batch: the peak of the process grows with them. */
const ACTIVATION_BYTES = 16 << 20;
/** Activations of one sample, where those of a batch are more: beyond that the model runs again for each part of them. */
const SAMPLE_BYTES = 96 << 20;
/** A tensor with more elements over all samples gives its histogram an even part of them; its range stays exact. */
const HISTOGRAM_ELEMENTS = 1 << 20;

/**
 * Runs the data through the model and returns the statistics of every asked value that was finite at least once.
 * Throws `data-empty` when there are no batches.
 */
export async function observe(request: ObserveRequest): Promise<Map<Value, Observation>> {
  const running = new Map<Value, Running>();
  await reduceRanges(request, running);
  await readElements(request, running);
  const observations = new Map<Value, Observation>();
  for (const [value, state] of running) {
    if (state.batches === 0) continue;
    const range: Range = { min: state.min, max: state.max };
    observations.set(value, {
      range,
      average: state.average ?? range,
      histogram: state.histogram,
      elements: state.elements,
      rows: state.rows,
      notFinite: state.notFinite,
      channels:
        state.channels === null
          ? null
          : {
              mean: Float32Array.from(state.channels.mean, (sum) => sum / state.batches),
              meanSquare:
                state.channels.meanSquare === null
                  ? null
                  : Float32Array.from(state.channels.meanSquare, (sum) => sum / state.batches),
              absMax: state.channels.absMax,
            },
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
    const channel = request.channels.get(original);
    const others = channel === undefined ? null : otherAxes(channel.rank, channel.axis);
    // Of all elements, or by channel, from which those of all elements follow.
    return {
      original,
      min: reduction(value, 'ReduceMin', others, 'min'),
      max: reduction(value, 'ReduceMax', others, 'max'),
      mean: reduction(value, 'ReduceMean', others, 'mean'),
      size: reduction(value, 'Size', null, 'size'),
      byChannel: others !== null,
      squares: channel?.squares === true ? reduction(value, 'ReduceSumSquare', others, 'squares') : null,
    };
  });
  const session = await request.open(model, { memoryPattern: false });
  let batches = 0;
  let samples = 0;
  try {
    const perSample = await observedBytes(request, session, (outputs) =>
      names.reduce((sum, { size }) => sum + 4 * scalar(outputs[size]), 0),
    );
    for await (const feeds of request.batches(batchSizeFor(perSample, request.maxBytes))) {
      const outputs = await session.run(feeds);
      for (const name of names) {
        const state = running.get(name.original) ?? emptyState();
        running.set(name.original, state);
        const [mins, maxs, mean] = [name.min, name.max, name.mean].map((reduced) => floats(outputs[reduced])) as Three;
        const min = mins.reduce((least, each) => Math.min(least, each), Number.POSITIVE_INFINITY);
        const max = maxs.reduce((most, each) => Math.max(most, each), Number.NEGATIVE_INFINITY);
        // A mean is NaN where any element is; the engine's minimum and maximum may pass a NaN over.
        if (!Number.isFinite(min) || !Number.isFinite(max) || mean.some(Number.isNaN)) {
          state.notFinite++;
          continue;
        }
        const elements = scalar(outputs[name.size]);
        merge(state, min, max, elements, rowsOf(feeds));
        const squares = name.squares === null ? null : floats(outputs[name.squares]);
        if (name.byChannel) mergeChannels(state, elements, { mean, squares, min: mins, max: maxs });
      }
      batches++;
      samples += rowsOf(feeds);
      await request.progress(
        samples,
        request.samples * (request.histograms || request.readers?.length ? 2 : 1),
        'ranges',
        liveRanges(running),
      );
    }
  } finally {
    await session.release();
  }
  if (batches === 0) throw new HoneError('data-empty', 'The calibration data holds no samples.');
}

/** Of activations spread evenly over the model, always the same ones. */
function liveRanges(running: ReadonlyMap<Value, Running>): Live {
  const all = [...running].filter(([, { batches }]) => batches > 0);
  const step = Math.max(1, all.length / MOST_LIVE);
  const ranges = Array.from({ length: Math.min(all.length, MOST_LIVE) }, (_, index) => {
    const [value, { min, max }] = all[Math.floor(index * step)] as [Value, Running];
    return { value: value.name, min, max };
  });
  return { kind: 'ranges', total: all.length, ranges };
}

/** Bytes that `sizeOf` sees in the outputs for one sample, from the first batch; that the data fits the model is checked on it. */
async function observedBytes(
  request: ObserveRequest,
  session: Session,
  sizeOf: (outputs: Feeds) => number,
): Promise<number> {
  for await (const feeds of request.batches(FIRST_BATCH)) {
    checkInputs(session, feeds);
    return sizeOf(await session.run(feeds)) / rowsOf(feeds);
  }
  return 0;
}

/** Samples of which so many bytes are held each that make a batch. */
export function batchSizeFor(bytesPerSample: number, maxBytes: number = ACTIVATION_BYTES): number {
  return Math.max(1, Math.min(MOST_BATCH, Math.floor(maxBytes / Math.max(1, bytesPerSample))));
}

/** The second pass: histograms of all values where they are asked for, and whatever the readers make of theirs. */
async function readElements(request: ObserveRequest, running: Map<Value, Running>): Promise<void> {
  const readers = Map.groupBy(request.readers ?? [], ({ value }) => value);
  const wide = request.values.filter((value) => {
    const state = running.get(value);
    if (!request.histograms && !readers.has(value)) return false;
    return state !== undefined && state.batches > 0 && state.max > state.min;
  });
  // Smaller batches, rather than more runs of the model, where the tensors of a usual batch are too much at once.
  const perSample = wide.reduce((sum, value) => sum + bytesPerSample(running.get(value)), 0);
  const batchSize = batchSizeFor(perSample, request.maxBytes);
  // As many as were asked for in the first pass, or more: then the model has a batch of its own.
  const rows = wide.reduce((largest, value) => Math.max(largest, running.get(value)?.rows ?? 1), batchSize);
  const groups = groupByBytes(
    wide,
    (value) => bytesPerSample(running.get(value)) * rows,
    request.maxBytes ?? (rows > 1 ? ACTIVATION_BYTES : SAMPLE_BYTES),
  );
  let samples = request.samples;
  for (const group of groups) {
    const { model, values } = cloneModel(request.model);
    model.graph.outputs.length = 0;
    for (const original of group) model.graph.outputs.push(mapped(values, original));
    const session = await request.open(model, { memoryPattern: false });
    let first = 0;
    try {
      for await (const feeds of request.batches(batchSize)) {
        const outputs = await session.run(feeds);
        for (const original of group) {
          const tensor = outputs[original.name];
          const state = running.get(original);
          if (state === undefined || tensor === undefined) continue;
          if (request.histograms) addToHistogram(state, tensor, request.samples);
          for (const reader of readers.get(original) ?? []) await reader.add(tensor, first);
        }
        discard(outputs);
        first += rowsOf(feeds);
        samples += rowsOf(feeds) / groups.length;
        await request.progress(samples, request.samples * 2, `elements of ${group.length} tensors`);
      }
    } finally {
      await session.release();
    }
  }
}

function addToHistogram(state: Running, tensor: HostTensor, samples: number): void {
  state.histogram ??= new Histogram({ min: state.min, max: state.max });
  const elements = floats(tensor);
  const perSample = state.elements / state.rows;
  state.histogram.add(elements, evenStride(perSample, (perSample * samples) / HISTOGRAM_ELEMENTS));
}

/** The least step of at least `wanted` that meets every place of a row of `length` elements in time, whatever its axes are. */
function evenStride(length: number, wanted: number): number {
  const divides = (a: number, b: number): boolean => (b === 0 ? a > 1 : divides(b, a % b));
  let stride = Math.max(1, Math.ceil(wanted));
  while (stride > 1 && divides(length, stride)) stride++;
  return stride;
}

/** Throws `data-mismatch` for an input of the model that the data does not have. */
function checkInputs(session: Session, feeds: Feeds): void {
  const missing = session.inputs.filter(({ name }) => feeds[name] === undefined).map(({ name }) => `'${name}'`);
  if (missing.length === 0) return;
  const given = Object.keys(feeds).map((name) => `'${name}'`);
  throw new HoneError(
    'data-mismatch',
    `The calibration data lacks the model's ${missing.length === 1 ? 'input' : 'inputs'} ${missing.join(', ')}; it has ${given.join(', ') || 'none'}.`,
  );
}

function bytesPerSample(state: Running | undefined): number {
  return state === undefined ? 0 : (state.elements * 4) / state.rows;
}

function emptyState(): Running {
  return {
    min: Number.POSITIVE_INFINITY,
    max: Number.NEGATIVE_INFINITY,
    average: null,
    elements: 0,
    rows: 1,
    batches: 0,
    notFinite: 0,
    channels: null,
    histogram: null,
  };
}

function merge(state: Running, min: number, max: number, elements: number, rows: number): void {
  if (elements > state.elements) state.rows = rows;
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

type Three = [Float32Array, Float32Array, Float32Array];

function mergeChannels(
  state: Running,
  elements: number,
  batch: { mean: Float32Array; squares: Float32Array | null; min: Float32Array; max: Float32Array },
): void {
  const count = batch.mean.length;
  state.channels ??= {
    mean: new Float64Array(count),
    meanSquare: batch.squares === null ? null : new Float64Array(count),
    absMax: new Float32Array(count),
  };
  const { mean, meanSquare, absMax } = state.channels;
  for (let channel = 0; channel < count; channel++) {
    mean[channel] = (mean[channel] ?? 0) + (batch.mean[channel] ?? 0);
    if (meanSquare !== null)
      meanSquare[channel] = (meanSquare[channel] ?? 0) + (batch.squares?.[channel] ?? 0) / (elements / count);
    absMax[channel] = Math.max(absMax[channel] ?? 0, -(batch.min[channel] ?? 0), batch.max[channel] ?? 0);
  }
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

function rowsOf(feeds: Feeds): number {
  return Object.values(feeds)[0]?.shape[0] ?? 1;
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
