/** Whole tensors of a model while data streams through it: all of them in one run where they fit a byte limit, else in several. */
import { cloneModel } from '../graph/clone.ts';
import type { Model } from '../graph/model.ts';
import type { Value } from '../graph/value.ts';
import { discard } from '../lib/discard.ts';
import type { Feeds, HostTensor } from '../lib/engine.ts';
import { ACTIVATION_BYTES, batchSizeFor, mapped, type Observation, type OpenModel, rowsOf } from './observation.ts';

/** Activations of one sample, where those of a batch are more: beyond that the model runs again for each part of them. */
const SAMPLE_BYTES = 96 << 20;

export interface ShowRequest {
  readonly model: Model;
  /** What is known of the values that are shown. */
  readonly observations: ReadonlyMap<Value, Observation>;
  /** Sees the tensor of a value, batch by batch; `first` is the number of the first sample of the batch. */
  readonly readers: ReadonlyMap<Value, (data: HostTensor, first: number) => Promise<void>>;
  /** The data, from its start; the argument limits the samples in a batch, where the model lets that be chosen. */
  readonly batches: (batchSize: number) => AsyncIterable<Feeds>;
  /** True when each batch is one sample without a batch axis. */
  readonly batchless?: boolean | undefined;
  readonly open: OpenModel;
  /** After each batch, with how many samples have streamed by: a part of a sample where the model runs several times. */
  readonly progress: (samples: number) => Promise<void>;
  /** Largest sum of the sizes of the tensors of one batch, in bytes; what is usual unless said. */
  readonly maxBytes?: number;
}

export async function showTensors(request: ShowRequest): Promise<void> {
  const shown = [...request.readers.keys()];
  const bytesOf = (value: Value): number => bytesPerSample(request.observations.get(value));
  // Smaller batches, rather than more runs of the model, where the tensors of a usual batch are too much at once.
  const batchSize = batchSizeFor(
    shown.reduce((sum, value) => sum + bytesOf(value), 0),
    request.maxBytes,
  );
  // As many as are asked for, or more: then the model has a batch of its own.
  const rows = shown.reduce((most, value) => Math.max(most, request.observations.get(value)?.rows ?? 1), batchSize);
  const limit = request.maxBytes ?? (rows > 1 ? ACTIVATION_BYTES : SAMPLE_BYTES);
  const groups = groupByBytes(shown, (value) => bytesOf(value) * rows, limit);
  let samples = 0;
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
          if (tensor !== undefined) await request.readers.get(original)?.(tensor, first);
        }
        discard(outputs);
        const batch = rowsOf(feeds, request.batchless);
        first += batch;
        samples += batch / groups.length;
        await request.progress(samples);
      }
    } finally {
      await session.release();
    }
  }
}

function bytesPerSample(observation: Observation | undefined): number {
  return observation === undefined ? 0 : (observation.elements * 4) / observation.rows;
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
