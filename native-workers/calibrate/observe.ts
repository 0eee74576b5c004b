/**
 * Statistics of activations in bounded memory: two passes over the data, one batch at a time. The first pass lets the engine
 * reduce every observed tensor to its minimum and maximum inside the graph, so nothing but scalars comes out; the second
 * (`read-elements.ts`) adds the tensors' elements to histograms of the range that the first found.
 * The graph is optimised while it is observed: the engine fuses around the extra outputs.
 */
import { intAttribute, intsAttribute } from '../graph/attribute.ts';
import { cloneModel } from '../graph/clone.ts';
import type { Graph } from '../graph/graph.ts';
import { Tensor } from '../graph/tensor.ts';
import { MemoryData } from '../graph/tensor-data.ts';
import { tensorType } from '../graph/types.ts';
import type { Value } from '../graph/value.ts';
import type { Feeds, HostTensor, Session } from '../lib/engine.ts';
import { HoneError } from '../protocol/errors.ts';
import { type Live, MOST_LIVE } from '../protocol/live.ts';
import {
  batchSizeFor,
  floats,
  mapped,
  type Observation,
  type ObserveRequest,
  type Running,
  rowsOf,
} from './observation.ts';
import type { Range } from './quantization-parameters.ts';
import { readElements } from './read-elements.ts';

/** The factor of the moving average of ranges. */
const MOVING_AVERAGE = 0.01;
/** Samples in the batch that tells the sizes of the tensors: what the engine needs for a batch grows with it. */
const FIRST_BATCH = 2;

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

function axesInitializer(graph: Graph, axes: readonly number[]): Value {
  const bytes = new Uint8Array(BigInt64Array.from(axes, BigInt).buffer);
  const tensor = new Tensor({ dtype: 'int64', shape: [axes.length], data: new MemoryData(bytes) });
  return graph.addInitializer(graph.uniqueName('axes'), tensor);
}

function otherAxes(rank: number, axis: number): number[] {
  const channel = axis < 0 ? axis + rank : axis;
  return Array.from({ length: rank }, (_, index) => index).filter((index) => index !== channel);
}

function scalar(tensor: HostTensor | undefined): number {
  return Number(tensor?.data[0] ?? Number.NaN);
}
