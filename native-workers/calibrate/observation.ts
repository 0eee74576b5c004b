/** What is asked of the activations of a model, and what is known of them. */
import type { Model } from '../graph/model.ts';
import type { Value } from '../graph/value.ts';
import type { Feeds, HostTensor, Session, SessionOptions } from '../lib/engine.ts';
import { HoneError } from '../protocol/errors.ts';
import type { Live } from '../protocol/live.ts';
import type { Histogram } from './histogram.ts';
import type { TensorStatistics } from './range-methods.ts';

export type OpenModel = (model: Model, options?: SessionOptions) => Promise<Session>;

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
  /** True when each batch is one sample without a batch axis. */
  readonly batchless?: boolean | undefined;
  /** How many samples the batches hold together, for progress. */
  readonly samples: number;
  readonly open: OpenModel;
  readonly progress: (done: number, total: number, what: string, live?: Live) => Promise<void>;
  /** Largest sum of the sizes of the observed tensors of one batch, in bytes; what is usual unless said. */
  readonly maxBytes?: number;
  readonly histograms: boolean;
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

/** What is known of a value while the data streams by. */
export interface Running {
  min: number;
  max: number;
  average: { min: number; max: number } | null;
  elements: number;
  rows: number;
  batches: number;
  notFinite: number;
  /** Sums over elements and over their squares, by channel; `each`: how many elements a channel had. */
  channels: { each: number; sum: Float64Array; squares: Float64Array | null; absMax: Float32Array } | null;
  histogram: Histogram | null;
}

const MOST_BATCH = 32;
/** Activations of one batch: the peak of the process grows with them. */
export const ACTIVATION_BYTES = 16 << 20;

/** Samples of which so many bytes are held each that make a batch. */
export function batchSizeFor(bytesPerSample: number, maxBytes: number = ACTIVATION_BYTES): number {
  return Math.max(1, Math.min(MOST_BATCH, Math.floor(maxBytes / Math.max(1, bytesPerSample))));
}

/** Samples of a batch; `batchless`: it is one sample whose tensors have no batch axis. */
export function rowsOf(feeds: Feeds, batchless: boolean = false): number {
  return batchless ? 1 : (Object.values(feeds)[0]?.shape[0] ?? 1);
}

/** The copy of `original` in the clone that a session runs. */
export function mapped(values: ReadonlyMap<Value, Value>, original: Value): Value {
  const copy = values.get(original);
  if (copy === undefined)
    throw new HoneError('internal', `The value ${original.name} is not of the model that is calibrated.`);
  return copy;
}

export function floats(tensor: HostTensor | undefined): Float32Array {
  if (tensor?.data instanceof Float32Array) return tensor.data;
  throw new HoneError('internal', `An observed tensor came out as ${tensor?.dtype ?? 'nothing'} and not as float32.`);
}
