/**
 * Statistics of activations in bounded memory: one pass over the data, a batch at a time. The engine reduces every observed tensor
 * to its minimum, maximum and mean inside the graph, and takes an even part of its elements for the histogram, so tensors do not
 * come out (`show-tensors.ts` has whole ones of a few samples).
 * The graph is optimised while it is observed: the engine fuses around the extra outputs.
 */
import { cloneModel } from '../graph/clone.ts';
import type { Value } from '../graph/value.ts';
import type { Feeds, HostTensor, Session } from '../lib/engine.ts';
import { HoneError } from '../protocol/errors.ts';
import { type Live, MOST_LIVE } from '../protocol/live.ts';
import { Histogram } from './histogram.ts';
import { batchSizeFor, floats, type Observation, type ObserveRequest, type Running, rowsOf } from './observation.ts';
import type { Range } from './quantization-parameters.ts';
import { evenStride, partsOf, type Tap, tap } from './tap.ts';

/** The factor of the moving average of ranges. */
const MOVING_AVERAGE = 0.01;
/** Samples in the batch that tells the sizes of the tensors: what the engine needs for a batch grows with it. */
const FIRST_BATCH = 1;
/** Samples of which the largest is that batch, where the model leaves their sizes open: the first may be a text of one word. */
const OPEN_SAMPLES = 16;
/** Elements of a tensor over all samples that its histogram gets, from where it has more; its range is of all. */
const HISTOGRAM_ELEMENTS = 1 << 18;

/**
 * Runs the data through the model and returns the statistics of every asked value that was finite at least once.
 * Throws `data-empty` when there are no batches.
 */
export async function observe(request: ObserveRequest): Promise<Map<Value, Observation>> {
  const running = new Map(request.values.map((value) => [value, emptyState()]));
  await reduceTensors(request, running);
  const observations = new Map<Value, Observation>();
  for (const [value, state] of running) {
    if (state.batches === 0) continue;
    const range: Range = { min: state.min, max: state.max };
    observations.set(value, {
      range,
      average: state.average ?? range,
      // A constant has nothing to choose a range by.
      histogram: range.max > range.min ? state.histogram : null,
      elements: state.elements,
      rows: state.rows,
      notFinite: state.notFinite,
      channels:
        state.channels === null
          ? null
          : {
              mean: meansOf(state.channels.sum, state.channels.each),
              meanSquare: state.channels.squares === null ? null : meansOf(state.channels.squares, state.channels.each),
              absMax: state.channels.absMax,
            },
    });
  }
  return observations;
}

const meansOf = (sums: Float64Array, each: number): Float32Array => Float32Array.from(sums, (sum) => sum / each);

async function reduceTensors(request: ObserveRequest, running: ReadonlyMap<Value, Running>): Promise<void> {
  const { model, values } = cloneModel(request.model);
  model.graph.outputs.length = 0;
  // The engine works towards the newest nodes first: so those of the first layers are, and their tensors need not be kept for long.
  const taps = request.values.toReversed().map((original) => tap(model, original, values, request));
  const session = await request.open(model, { memoryPattern: false });
  let batches = 0;
  let samples = 0;
  try {
    const { batchSize, sizes } = await firstBatch(request, session, taps);
    const strides = taps.map((_, index) => {
      const size = sizes[index] ?? 0;
      return evenStride(size, (size * request.samples) / HISTOGRAM_ELEMENTS);
    });
    for await (const feeds of request.batches(batchSize)) {
      const outputs = await session.run({ ...feeds, ...partsOf(taps, strides, samples) });
      const rows = rowsOf(feeds, request.batchless);
      for (const each of taps) take(running.get(each.original) ?? emptyState(), each, outputs, rows);
      batches++;
      samples += rows;
      await request.progress(samples, request.samples, 'ranges', liveRanges(running));
    }
  } finally {
    await session.release();
  }
  if (batches === 0) throw new HoneError('data-empty', 'The calibration data holds no samples.');
}

/** Adds what the graph made of one value for one batch of `rows` samples. */
function take(
  state: Running,
  { min, max, mean, size, squares, byChannel, part }: Tap,
  outputs: Feeds,
  rows: number,
): void {
  const elements = scalar(outputs[size]);
  // A batch may leave a tensor empty: no object was found in it.
  if (elements === 0) return;
  const [mins, maxs, means] = [min, max, mean].map((reduced) => floats(outputs[reduced])) as Three;
  const range: Range = {
    min: mins.reduce((least, each) => Math.min(least, each), Number.POSITIVE_INFINITY),
    max: maxs.reduce((most, each) => Math.max(most, each), Number.NEGATIVE_INFINITY),
  };
  // A mean is NaN where any element is; the engine's minimum and maximum may pass a NaN over. It is infinite where a sum is.
  if (!Number.isFinite(range.min) || !Number.isFinite(range.max) || !means.every(Number.isFinite)) {
    state.notFinite++;
    return;
  }
  merge(state, range, elements, rows);
  if (byChannel) {
    const summed = squares === null ? null : floats(outputs[squares]);
    mergeChannels(state, elements, { mean: means, squares: summed, min: mins, max: maxs });
  }
  if (part === null) return;
  state.histogram ??= new Histogram();
  state.histogram.cover(range);
  state.histogram.add(floats(outputs[part.elements]));
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

/**
 * How many samples make a batch, and the elements of each tapped tensor for one sample, as one batch tells them; that the data fits
 * the model is checked on it.
 */
async function firstBatch(
  request: ObserveRequest,
  session: Session,
  taps: readonly Tap[],
): Promise<{ batchSize: number; sizes: number[] }> {
  const feeds = await tellingBatch(request);
  if (feeds !== null) {
    const parts = partsOf(
      taps,
      taps.map(() => Number.MAX_SAFE_INTEGER),
      0,
    );
    checkInputs(session, feeds, parts);
    const outputs = await session.run({ ...feeds, ...parts });
    const sizes = taps.map(({ size }) => scalar(outputs[size]) / rowsOf(feeds, request.batchless));
    const bytes = 4 * sizes.reduce((sum, size) => sum + size, 0);
    return { batchSize: batchSizeFor(bytes, request.maxBytes), sizes };
  }
  return { batchSize: 1, sizes: [] };
}

async function tellingBatch({ model, batches }: ObserveRequest): Promise<Feeds | null> {
  const isOpen = model.graph.inputs.some(
    ({ type }) => type?.kind !== 'tensor' || (type.shape?.slice(1).some((dim) => typeof dim !== 'number') ?? true),
  );
  const sizeOf = (feeds: Feeds): number => Object.values(feeds).reduce((sum, { data }) => sum + data.length, 0);
  let largest: Feeds | null = null;
  let looked = 0;
  for await (const feeds of batches(FIRST_BATCH)) {
    if (largest === null || sizeOf(feeds) > sizeOf(largest)) largest = feeds;
    if (++looked === (isOpen ? OPEN_SAMPLES : 1)) break;
  }
  return largest;
}

/** Throws `data-mismatch` for an input of the model that the data does not have. */
function checkInputs(session: Session, feeds: Feeds, parts: Feeds): void {
  const missing = session.inputs.flatMap(({ name }) =>
    feeds[name] === undefined && parts[name] === undefined ? [`'${name}'`] : [],
  );
  if (missing.length === 0) return;
  const given = Object.keys(feeds).map((name) => `'${name}'`);
  throw new HoneError(
    'data-mismatch',
    `The calibration data lacks the model's ${missing.length === 1 ? 'input' : 'inputs'} ${missing.join(', ')}; it has ${given.join(', ') || 'none'}.`,
  );
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

function merge(state: Running, { min, max }: Range, elements: number, rows: number): void {
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
    each: 0,
    sum: new Float64Array(count),
    squares: batch.squares === null ? null : new Float64Array(count),
    absMax: new Float32Array(count),
  };
  const { sum, squares, absMax } = state.channels;
  // Batches differ in size, the last one at the latest: each counts by its elements.
  const each = elements / count;
  state.channels.each += each;
  for (let channel = 0; channel < count; channel++) {
    sum[channel] = (sum[channel] ?? 0) + (batch.mean[channel] ?? 0) * each;
    if (squares !== null) squares[channel] = (squares[channel] ?? 0) + (batch.squares?.[channel] ?? 0);
    absMax[channel] = Math.max(absMax[channel] ?? 0, -(batch.min[channel] ?? 0), batch.max[channel] ?? 0);
  }
}

function scalar(tensor: HostTensor | undefined): number {
  return Number(tensor?.data[0] ?? Number.NaN);
}
