/**
 * The second pass over the data: the elements of the tensors, in groups of outputs that fit a byte limit, go to histograms of the
 * range that the first pass found, and to whoever asked for them.
 */
import { cloneModel } from '../graph/clone.ts';
import type { Value } from '../graph/value.ts';
import { discard } from '../lib/discard.ts';
import type { HostTensor } from '../lib/engine.ts';
import { Histogram } from './histogram.ts';
import {
  ACTIVATION_BYTES,
  batchSizeFor,
  floats,
  mapped,
  type ObserveRequest,
  type Running,
  rowsOf,
} from './observation.ts';

/** Activations of one sample, where those of a batch are more: beyond that the model runs again for each part of them. */
const SAMPLE_BYTES = 96 << 20;
/** A tensor with more elements over all samples gives its histogram an even part of them; its range stays exact. */
const HISTOGRAM_ELEMENTS = 1 << 20;

/** Histograms of all values where they are asked for, and whatever the readers make of theirs. */
export async function readElements(request: ObserveRequest, running: Map<Value, Running>): Promise<void> {
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

function bytesPerSample(state: Running | undefined): number {
  return state === undefined ? 0 : (state.elements * 4) / state.rows;
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
