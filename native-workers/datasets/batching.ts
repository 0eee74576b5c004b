/** Samples stacked into batches, and the parts of a data set that all kinds share. */
import { DTYPES, type DType, elementCount } from '../graph/dtype.ts';
import type { Batch } from '../lib/batch.ts';
import type { Feeds, HostTensor, NumericArray } from '../lib/engine.ts';
import { HoneError } from '../protocol/errors.ts';
import type { BatchOptions, Dataset, SampleRow, SampleSource, SkippedSample } from './dataset.ts';
import { allocate } from './numbers.ts';
import { batchRuleOf, type ModelSignature } from './signature.ts';
import { chooseSamples } from './subset.ts';

export function makeDataset(source: SampleSource): Dataset {
  const skipped = new Map<string, SkippedSample>();
  const padding = source.padding ?? {};
  const batchless = source.batchless ?? false;
  return {
    name: source.name,
    kind: source.kind,
    samples: source.count,
    labelled: source.labelled,
    grouped: source.grouped,
    classes: source.classes,
    classesAssumed: source.classesAssumed ?? false,
    objectClasses: source.objectClasses ?? null,
    preprocess: source.preprocess,
    reading: source.reading ?? {},
    notes: source.notes,
    batchless,
    get skipped() {
      return [...skipped.values()];
    },
    sha256: () => source.sha256(),
    close: () => source.close(),
    *knownLabels(options) {
      const indexes = chosen(source, options) ?? Array(source.count).keys();
      for (const index of indexes) yield source.known(index);
    },
    async *batches(batchSize, options) {
      const indexes = chosen(source, options);
      const skip = (sample: SkippedSample): void => void skipped.set(sample.sample, sample);
      let held: SampleRow[] = [];
      let found = 0;
      for await (const row of source.rows(indexes, skip)) {
        found++;
        const first = held[0];
        if (held.length >= (batchless ? 1 : batchSize) || (first !== undefined && !stackable(first, row, padding))) {
          yield stack(held, source);
          held = [];
        }
        held.push(row);
      }
      if (found === 0) throw emptyError(source.name, skipped);
      yield stack(held, source);
    },
  };
}

/** Those of `limit`, in the shares of their classes; null for all. */
function chosen(source: SampleSource, { limit = source.count, seed = 0 }: BatchOptions = {}): readonly number[] | null {
  const classOf = (index: number): number | null => {
    const { label } = source.known(index);
    return typeof label === 'number' && Number.isInteger(label) ? label : null;
  };
  return chooseSamples(source.count, classOf, limit, seed);
}

function emptyError(name: string, skipped: ReadonlyMap<string, SkippedSample>): HoneError {
  const first = skipped.values().next().value;
  const why =
    first === undefined
      ? ''
      : ` ${skipped.size} ${skipped.size === 1 ? 'was' : 'were'} skipped; the first, ${first.sample}: ${first.reason}`;
  return new HoneError('data-empty', `No sample of ${name} could be read.${why}`);
}

/** Samples go into one batch when their shapes are equal, or differ only where padding is allowed. */
function stackable(a: SampleRow, b: SampleRow, padding: Readonly<Record<string, number>>): boolean {
  return Object.entries(a.feeds).every(([name, tensor]) => {
    const other = b.feeds[name];
    if (other === undefined || other.shape.length !== tensor.shape.length) return false;
    return tensor.shape.every((dim, axis) => dim === other.shape[axis] || (axis === 0 && name in padding));
  });
}

function stack(rows: readonly SampleRow[], { padding = {}, grouped, batchless = false }: SampleSource): Batch {
  const first = rows[0] as SampleRow;
  const feeds: Feeds = {};
  for (const name of Object.keys(first.feeds)) {
    const tensors = rows.map((row) => row.feeds[name] as HostTensor);
    feeds[name] = batchless ? (tensors[0] as HostTensor) : stackTensors(tensors, padding[name] ?? 0);
  }
  return {
    feeds,
    labels: rows.map((row) => row.label),
    samples: rows.map((row) => row.sample),
    ...(grouped ? { groups: rows.map((row) => row.group ?? '') } : {}),
  };
}

/** One tensor of the tensors of samples; those shorter along their first axis are filled up with `fill`. */
function stackTensors(tensors: readonly HostTensor[], fill: number): HostTensor {
  const { dtype, shape } = tensors[0] as HostTensor;
  const length = Math.max(...tensors.map((tensor) => tensor.shape[0] ?? 1));
  const row = shape.length === 0 ? [] : [length, ...shape.slice(1)];
  const size = elementCount(row);
  if (dtype === 'string') {
    const data = tensors.flatMap((tensor) => [...(tensor.data as readonly string[])]);
    return { dtype, shape: [tensors.length, ...row], data };
  }
  const data = filled(dtype, size * tensors.length, fill);
  tensors.forEach((tensor, index) => {
    setAll(data, tensor.data as NumericArray, index * size);
  });
  return { dtype, shape: [tensors.length, ...row], data };
}

function filled(dtype: DType, count: number, fill: number): NumericArray {
  const data = allocate(dtype, count);
  if (fill !== 0) {
    if (data instanceof BigInt64Array || data instanceof BigUint64Array) data.fill(BigInt(fill));
    else data.fill(fill);
  }
  return data;
}

/** Both arrays are of the same dtype, which the type system cannot see. */
function setAll(target: NumericArray, values: NumericArray, at: number): void {
  (target as Float32Array).set(values as Float32Array, at);
}

export interface RunOptions extends BatchOptions {
  /** Samples a run where the model takes any number; by memory unless said. */
  readonly batchSize?: number;
}

/**
 * Batches as the model takes them: of its fixed size where it has one, the last filled up by repeating its last sample.
 * `samples` and `labels` are of the real samples only, so results past their number are to be ignored.
 */
export async function* runnableBatches(
  dataset: Dataset,
  signature: ModelSignature,
  { batchSize, ...options }: RunOptions = {},
): AsyncGenerator<Batch> {
  const rule = batchRuleOf(signature);
  const size = rule.kind === 'exactly' ? rule.size : (batchSize ?? usualBatchSize(signature));
  for await (const batch of dataset.batches(size, options)) {
    const short = rule.kind === 'exactly' && !dataset.batchless && batch.samples.length < size;
    yield short ? { ...batch, feeds: repeatLast(batch.feeds, size) } : batch;
  }
}

/** Bytes of inputs and outputs that one batch may take. */
const BATCH_BYTES = 16 * 2 ** 20;

/** A power of two up to 32, such that inputs and outputs of a batch stay below 16 MiB. */
export function usualBatchSize(signature: ModelSignature): number {
  let bytes = 1;
  for (const { type } of [...signature.inputs, ...signature.outputs]) {
    if (type.kind !== 'tensor' || type.shape === null) continue;
    // A dimension that is not known is taken as a text of middling length, or a picture of the usual size.
    const unknown = type.shape.length >= 4 ? 224 : 256;
    const elements = type.shape
      .slice(1)
      .reduce<number>((count, dim) => count * (typeof dim === 'number' ? dim : unknown), 1);
    bytes += (elements * DTYPES[type.dtype ?? 'float32'].bits) / 8;
  }
  return 2 ** Math.max(0, Math.min(5, Math.floor(Math.log2(BATCH_BYTES / bytes))));
}

function repeatLast(feeds: Feeds, size: number): Feeds {
  return Object.fromEntries(
    Object.entries(feeds).map(([name, { dtype, shape, data }]) => {
      const [count = 1, ...row] = shape;
      const length = data.length / count;
      const full = [size, ...row];
      if (dtype === 'string') {
        const texts = data as readonly string[];
        const last = texts.slice(texts.length - length);
        return [
          name,
          { dtype, shape: full, data: [...texts, ...Array.from({ length: size - count }, () => last).flat()] },
        ];
      }
      const numbers = data as NumericArray;
      const all = allocate(dtype, size * length);
      setAll(all, numbers, 0);
      for (let index = count; index < size; index++)
        setAll(all, numbers.subarray((count - 1) * length), index * length);
      return [name, { dtype, shape: full, data: all }];
    }),
  );
}
