/** What the model will really be fed: a few samples after all preprocessing, as something to look at. */
import type { Batch, Label } from '../lib/batch.ts';
import type { Feeds, HostTensor, NumericArray } from '../lib/engine.ts';
import { bfloat16ToFloat, halfToFloat } from '../lib/half.ts';
import { toHoneError } from '../protocol/errors.ts';
import type { DataPreview, InputPreview, SamplePreview } from '../protocol/preview.ts';
import type { Dataset } from './dataset.ts';
import { encodePng, tensorToPixels } from './image-pixels.ts';
import { type ImageSpec, imageInputOf, resolveImageSpec } from './image-spec.ts';
import { labelText, marksOf } from './preview-label.ts';
import type { ModelSignature } from './signature.ts';

const MOST_VALUES = 64;
const MOST_SLICES = 400;
const MOST_TOKENS = 256;

/** Which samples are shown: `count` in the shares of their classes, or those named of the ones that a run used. */
export type PreviewChoice =
  | { readonly count: number }
  | { readonly only: readonly string[]; readonly limit?: number | undefined; readonly seed: number };

/** Those of the chosen samples that can be read; samples of the same classes stand in for those that cannot. */
export async function previewDataset(
  dataset: Dataset,
  signature: ModelSignature,
  choice: PreviewChoice,
): Promise<DataPreview> {
  const spec = pictureSpec(dataset, signature);
  const raw = spec === null ? rawPictureSpec(dataset, signature) : null;
  const first: SamplePreview[] = [];
  for await (const batch of 'only' in choice ? named(dataset, choice) : spread(dataset, choice.count)) {
    const label = batch.labels[0] ?? null;
    first.push({
      sample: batch.samples[0] ?? '',
      label: labelText(label, dataset.classes),
      group: batch.groups?.[0] ?? null,
      inputs: await previewInputs(batch.feeds, label, dataset, { spec, raw }),
    });
  }
  const { name, kind, samples, labelled, classes, preprocess } = dataset;
  return {
    name,
    kind,
    samples,
    labelled,
    classes: classes === null ? null : [...classes],
    preprocess,
    notes: [...dataset.notes],
    skipped: [...dataset.skipped],
    first,
  };
}

/** Of different classes where there are any; then, for those that could not be read, the next ones in order. */
async function* spread(dataset: Dataset, count: number): AsyncIterable<Batch> {
  const seen = new Set<string>();
  for (const limit of count < dataset.samples ? [count, dataset.samples] : [dataset.samples]) {
    try {
      for await (const batch of dataset.batches(1, { limit })) {
        const name = batch.samples[0] ?? '';
        if (seen.size >= count) return;
        if (!seen.has(name)) yield batch;
        seen.add(name);
      }
    } catch (thrown) {
      // None of the few that were chosen could be read: others may.
      if (limit === dataset.samples || toHoneError(thrown).code !== 'data-empty') throw thrown;
    }
  }
}

async function* named(
  dataset: Dataset,
  { only, limit, seed }: Extract<PreviewChoice, { only: readonly string[] }>,
): AsyncIterable<Batch> {
  const wanted = new Set(only);
  for await (const batch of dataset.batches(1, { seed, ...(limit === undefined ? {} : { limit }) })) {
    if (wanted.delete(batch.samples[0] ?? '')) yield batch;
    if (wanted.size === 0) return;
  }
}

/** How the data set makes pictures into tensors; null when it does not. */
function pictureSpec({ preprocess }: Dataset, signature: ModelSignature): ImageSpec | null {
  if (preprocess?.layout === undefined || imageInputOf(signature) === null) return null;
  return resolveImageSpec(signature, preprocess).spec;
}

/** Arrays that have the shape of pictures: how they were normalised is not known. */
function rawPictureSpec({ kind, batchless }: Dataset, signature: ModelSignature): ImageSpec | null {
  if (kind !== 'npz' || signature.inputs.length > 1 || imageInputOf(signature) === null) return null;
  try {
    const { spec } = resolveImageSpec(signature, {});
    return spec.batchless === batchless ? spec : null;
  } catch {
    // Features in the form of a picture, of more channels than one has.
    return null;
  }
}

/** The same with its numbers stretched from black to white. */
function stretched(spec: ImageSpec, { minimum, maximum }: Pick<InputPreview, 'minimum' | 'maximum'>): ImageSpec {
  const low = minimum ?? 0;
  const range = (maximum ?? 0) - low || 1;
  return { ...spec, scale: 1, std: spec.std.map(() => 255 / range), mean: spec.mean.map(() => (-255 * low) / range) };
}

interface PictureSpecs {
  readonly spec: ImageSpec | null;
  readonly raw: ImageSpec | null;
}

async function previewInputs(
  feeds: Feeds,
  label: Label,
  dataset: Dataset,
  { spec, raw }: PictureSpecs,
): Promise<InputPreview[]> {
  const previews: InputPreview[] = [];
  for (const [name, tensor] of Object.entries(feeds)) {
    const shape = [...(dataset.batchless ? tensor.shape : tensor.shape.slice(1))];
    const { dtype, data } = tensor;
    const numbers = plainNumbers(tensor);
    if (numbers === null) {
      const values = (data as readonly string[]).slice(0, MOST_VALUES);
      previews.push({ name, dtype, shape, minimum: null, maximum: null, mean: null, notFinite: 0, values });
      continue;
    }
    const base = { name, dtype, shape, ...summary(numbers) };
    if (spec !== null && name === spec.input.name)
      previews.push({
        ...base,
        picture: await pictureOf(numbers, spec, shape),
        ...(await marksOf(label, dataset.classes, sizeOf(spec, shape))),
      });
    else if (raw !== null && name === raw.input.name)
      previews.push({ ...base, picture: await pictureOf(numbers, stretched(raw, base), shape), stretched: true });
    else if (name === dataset.reading.tokens?.ids) previews.push({ ...base, ...textOf(numbers, feeds, dataset) });
    else if (dataset.kind === 'wav')
      previews.push({ ...base, waveform: waveformOf(numbers), ...lengthOf(numbers, dataset) });
    else
      previews.push({
        ...base,
        values: Array.from(numbers.slice(0, MOST_VALUES), (value) => (Number.isFinite(value) ? value : null)),
        ...columnsOf(name, dataset),
      });
  }
  return previews;
}

function columnsOf(name: string, { reading }: Dataset): Pick<InputPreview, 'columns'> {
  const columns = reading.columns?.[name];
  return columns === undefined ? {} : { columns: columns.slice(0, MOST_VALUES) };
}

function lengthOf({ length }: Float64Array, { preprocess }: Dataset): Pick<InputPreview, 'seconds'> {
  const rate = preprocess?.sampleRate;
  return rate === undefined ? {} : { seconds: length / rate };
}

function textOf(
  ids: Float64Array,
  feeds: Feeds,
  { reading: { tokens } }: Dataset,
): Pick<InputPreview, 'tokens' | 'text'> {
  if (tokens === undefined) return {};
  const masks = tokens.mask === null ? undefined : feeds[tokens.mask];
  const mask = masks === undefined ? null : plainNumbers(masks);
  const first = Array.from(ids.slice(0, MOST_TOKENS), (id, at) => ({
    id,
    text: tokens.textOf(id),
    masked: mask?.[at] === 0,
  }));
  return { tokens: first, text: tokens.decode(first.filter(({ masked }) => !masked).map(({ id }) => id)) };
}

function plainNumbers({ dtype, data }: HostTensor): Float64Array | null {
  if (!ArrayBuffer.isView(data)) return null;
  const values = data as NumericArray;
  if (dtype === 'float16') return Float64Array.from(values as Uint16Array, halfToFloat);
  if (dtype === 'bfloat16') return Float64Array.from(values as Uint16Array, bfloat16ToFloat);
  if (values instanceof BigInt64Array || values instanceof BigUint64Array) return Float64Array.from(values, Number);
  return Float64Array.from(values);
}

function summary(values: Float64Array): Pick<InputPreview, 'minimum' | 'maximum' | 'mean' | 'notFinite'> {
  let [minimum, maximum, sum, finite] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0];
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    minimum = Math.min(minimum, value);
    maximum = Math.max(maximum, value);
    sum += value;
    finite++;
  }
  const notFinite = values.length - finite;
  return finite === 0
    ? { minimum: null, maximum: null, mean: null, notFinite }
    : { minimum, maximum, mean: sum / finite, notFinite };
}

const sizeOf = ({ layout }: ImageSpec, shape: readonly number[]): [number, number] =>
  (layout === 'nchw' ? shape.slice(1) : shape.slice(0, 2)) as [number, number];

async function pictureOf(values: Float64Array, spec: ImageSpec, shape: readonly number[]): Promise<string> {
  const png = await encodePng(tensorToPixels(values, spec, sizeOf(spec, shape)));
  return `data:image/png;base64,${png.toString('base64')}`;
}

function waveformOf(values: Float64Array): [number, number][] {
  const slices = Math.min(MOST_SLICES, values.length);
  return Array.from({ length: slices }, (_, slice) => {
    const part = values.subarray(
      Math.floor((slice * values.length) / slices),
      Math.floor(((slice + 1) * values.length) / slices),
    );
    return [
      part.reduce((low, value) => Math.min(low, value), Number.POSITIVE_INFINITY),
      part.reduce((high, value) => Math.max(high, value), Number.NEGATIVE_INFINITY),
    ];
  });
}
