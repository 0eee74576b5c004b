/**
 * `.npz` archives: arrays named after the model's inputs, `labels` and `group` if there are any. A single array of pictures
 * (uint8, [N,H,W,C] or [N,C,H,W]) goes through the preprocessing as files of pictures do.
 */
import { basename } from 'node:path';
import type { Label } from '../lib/batch.ts';
import type { Feeds, HostTensor } from '../lib/engine.ts';
import { halfToFloat } from '../lib/half.ts';
import { hashFile } from '../lib/hash-file.ts';
import { ZipArchive, type ZipEntry } from '../lib/zip.ts';
import { HoneError } from '../protocol/errors.ts';
import type { Preprocess } from '../protocol/request.ts';
import type { ClassList } from './classes.ts';
import type { DatasetNote, SampleRow, SampleSource } from './dataset.ts';
import { fitPixels, type Pixels, pixelsToTensor } from './image-pixels.ts';
import { type ImageSpec, imageInputOf, preprocessOf, resolveImageSpec } from './image-spec.ts';
import { type LabelColumn, labelColumn } from './labels.ts';
import { type NpyHeader, type NpyValues, npyHeaderBytes, npyRows, parseNpyHeader } from './npy.ts';
import { toDType } from './numbers.ts';
import { batchOfOne, classCountOf, type InputTensor, inputTensor, type ModelSignature } from './signature.ts';

const LABEL_NAMES = ['labels', 'label', 'y', 'targets', 'target'];
const GROUP_NAMES = ['group', 'groups'];

interface NpyArray {
  readonly name: string;
  readonly header: NpyHeader;
  readonly entry: ZipEntry;
}

/** How the rows of one array become the rows of one input. */
interface Column {
  readonly array: NpyArray;
  readonly input: string;
  convert(row: NpyValues): Promise<HostTensor> | HostTensor;
}

/** Throws `data-mismatch` naming every input that the archive lacks, and for shapes that do not fit. */
export async function openNpz(
  path: string,
  signature: ModelSignature,
  preprocess: Preprocess,
  classList: ClassList | null,
): Promise<SampleSource> {
  const archive = await ZipArchive.open(path);
  try {
    const arrays = await readHeaders(archive);
    const notes: DatasetNote[] = [];
    const labels = pick(arrays, LABEL_NAMES, signature);
    const groups = pick(arrays, GROUP_NAMES, signature);
    const data = arrays.filter((array) => array !== labels && array !== groups);
    const matched = matchInputs(data, signature, notes, path);
    const spec = imageSpecFor(matched, signature, preprocess, notes);
    notes.push(...conversionNotes(matched, spec));
    const batchless = matched.some(({ array, input }) => hasWholeInputs(array, input)) || (spec?.batchless ?? false);
    const columns = matched.map(({ array, input }) => columnFor(array, input, spec, batchless));
    const count = commonCount(
      [...matched.map(({ array }) => array), ...(labels ? [labels] : []), ...(groups ? [groups] : [])],
      path,
    );
    const isMask = labels !== null && labels.header.shape.length >= 3;
    const column = labels === null || isMask ? null : await readLabels(archive, labels, classList, signature, notes);
    const groupOf = groups === null ? null : await readAll(archive, groups);
    return {
      name: basename(path),
      kind: 'npz',
      count,
      labelled: labels !== null,
      grouped: groups !== null,
      classes: column?.classes ?? classList?.names ?? null,
      classesAssumed: column?.assumed ?? false,
      preprocess: spec === null ? null : preprocessOf(spec),
      notes,
      batchless,
      known: (index) => ({ sample: String(index), label: column?.labelOf(index) ?? null }),
      async *rows(indexes) {
        const maskColumn: Column[] =
          isMask && labels !== null ? [{ array: labels, input: '', convert: maskRow(labels) }] : [];
        const all = [...columns, ...maskColumn];
        const streams = await Promise.all(
          all.map(async ({ array }) => npyRows(await archive.stream(array.entry), array.header, indexes, array.name)),
        );
        const total = indexes?.length ?? count;
        try {
          for (let number = 0; number < total; number++) {
            const index = indexes?.[number] ?? number;
            const feeds: Feeds = {};
            let label: Label = column?.labelOf(index) ?? null;
            for (let at = 0; at < all.length; at++) {
              const { input, convert } = all[at] as Column;
              const next = await (streams[at] as AsyncGenerator<NpyValues>).next();
              if (next.done === true) return;
              const tensor = await convert(next.value);
              if (input === '') label = maskLabel(tensor);
              else feeds[input] = tensor;
            }
            yield {
              sample: String(index),
              feeds,
              label,
              group: groupOf === null ? null : String(groupOf[index]),
            } satisfies SampleRow;
          }
        } finally {
          await Promise.all(streams.map((stream) => stream.return(undefined)));
        }
      },
      sha256: async () => (await hashFile(path)).sha256,
      close: async () => archive.close(),
    };
  } catch (thrown) {
    archive.close();
    throw thrown;
  }
}

async function readHeaders(archive: ZipArchive): Promise<NpyArray[]> {
  const arrays: NpyArray[] = [];
  for (const entry of archive.entries) {
    if (!entry.path.endsWith('.npy')) continue;
    const name = entry.path.slice(0, -'.npy'.length);
    let head: Buffer = Buffer.alloc(0);
    const stream = await archive.stream(entry);
    for await (const piece of stream) {
      head = Buffer.concat([head, piece as Buffer]);
      const needed = npyHeaderBytes(head, name);
      if (needed !== null && head.length >= needed) break;
    }
    stream.destroy();
    arrays.push({ name, entry, header: parseNpyHeader(head, entry.bytes, name) });
  }
  if (arrays.length === 0)
    throw new HoneError('data-empty', `${archive.path} holds no arrays.`, { where: { file: archive.path } });
  return arrays;
}

function pick(arrays: readonly NpyArray[], names: readonly string[], signature: ModelSignature): NpyArray | null {
  const isInput = (name: string): boolean => signature.inputs.some((input) => input.name === name);
  return arrays.find(({ name }) => names.includes(name) && !isInput(name)) ?? null;
}

interface Match {
  readonly array: NpyArray;
  readonly input: InputTensor;
}

/** By name; a model with one input takes the only array whatever its name, and `in0`, `arr_0` and so on go by position. */
function matchInputs(
  arrays: readonly NpyArray[],
  signature: ModelSignature,
  notes: DatasetNote[],
  path: string,
): Match[] {
  const inputs = signature.inputs.map(inputTensor);
  const byName = inputs.map((input) => arrays.find(({ name }) => name === input.name));
  const byPosition = (index: number): NpyArray | undefined =>
    arrays.find(({ name }) => name === `in${index}` || name === `arr_${index}`) ??
    (inputs.length === 1 && arrays.length === 1 ? arrays[0] : undefined);
  const found = byName.every((array) => array === undefined) ? inputs.map((_, index) => byPosition(index)) : byName;
  const missing = inputs.filter((_, index) => found[index] === undefined).map(({ name }) => `'${name}'`);
  if (missing.length > 0) {
    const present = arrays.map(({ name }) => `'${name}'`).join(', ') || 'none';
    throw new HoneError(
      'data-mismatch',
      `${path} has no array for the input ${missing.join(', ')}. It holds ${present}.`,
      {
        where: { file: path },
      },
    );
  }
  if (found !== byName) {
    const pairs = inputs.map((input, index) => `'${found[index]?.name}' for '${input.name}'`).join(', ');
    notes.push({ code: 'arrays-by-position', message: `No array is named after an input; taken: ${pairs}.` });
  }
  return inputs.map((input, index) => ({ array: found[index] as NpyArray, input }));
}

/** Whole numbers for a float input, or the other way, are taken as they are: right for some data, a mistake in other. */
function conversionNotes(matched: readonly Match[], pictures: ImageSpec | null): DatasetNote[] {
  if (pictures !== null) return [];
  const isFloat = (dtype: string): boolean => dtype.includes('float');
  return matched.flatMap(({ array: { name, header }, input }) =>
    header.dtype === 'string' || isFloat(header.dtype) === isFloat(input.dtype)
      ? []
      : [
          {
            code: 'array-converted',
            message: `The array '${name}' is ${header.dtype} and the input '${input.name}' takes ${input.dtype}: its numbers are taken as they are, without scaling.`,
          },
        ],
  );
}

/** Bytes for a model that takes something else, or bytes in another shape: pictures to preprocess. */
function imageSpecFor(
  matched: readonly Match[],
  signature: ModelSignature,
  preprocess: Preprocess,
  notes: DatasetNote[],
): ImageSpec | null {
  const imageInput = imageInputOf(signature);
  const match = matched.find(({ input }) => input.name === imageInput?.name);
  if (matched.length !== 1 || match === undefined) return null;
  const { dtype, shape } = match.array.header;
  if (dtype !== 'uint8' || (shape.length !== 4 && shape.length !== 3)) return null;
  const fits =
    shape.length === match.input.shape.length &&
    match.input.shape.slice(1).every((dim, axis) => typeof dim !== 'number' || dim === shape[axis + 1]);
  if (match.input.dtype === 'uint8' && fits) return null;
  const resolved = resolveImageSpec(signature, preprocess);
  notes.push(...resolved.notes);
  const [height, width] = pictureShape(match.array);
  return { ...resolved.spec, size: resolved.spec.size ?? [height, width] };
}

const isChannelCount = (dim: number | undefined): dim is 1 | 3 | 4 => dim === 1 || dim === 3 || dim === 4;

/** Height, width, channels and whether the channels come first, of an array of pictures. Throws `data-mismatch`. */
function pictureShape({
  name,
  header,
}: NpyArray): readonly [height: number, width: number, channels: 1 | 3 | 4, planar: boolean] {
  const [, a = 1, b = 1, c] = header.shape;
  if (header.shape.length === 3) return [a, b, 1, false];
  if (isChannelCount(c)) return [a, b, c, false];
  if (isChannelCount(a)) return [b, c ?? 1, a, true];
  throw new HoneError(
    'data-mismatch',
    `The array '${name}' of shape [${header.shape.join(', ')}] has no axis of 1, 3 or 4 channels.`,
    {
      where: { tensor: name },
    },
  );
}

/** Whether each row is an input as the model takes it, without a batch axis or with one of its own. */
const hasWholeInputs = ({ header }: NpyArray, { shape }: InputTensor): boolean =>
  header.shape.length === shape.length + 1;

function columnFor(array: NpyArray, input: InputTensor, spec: ImageSpec | null, batchless: boolean): Column {
  if (spec !== null) {
    const shape = pictureShape(array);
    const size = spec.size ?? [shape[0], shape[1]];
    const convert = async (row: NpyValues): Promise<HostTensor> =>
      pixelsToTensor(await fitPixels(interleave(row as Uint8Array, shape), spec, size), spec);
    return { array, input: input.name, convert };
  }
  const shape = rowShape(array, input);
  const { dtype } = array.header;
  const what = `the array '${array.name}'`;
  const convert = (row: NpyValues): HostTensor => {
    if (dtype === 'string') {
      if (input.dtype !== 'string') throw mismatch(array, input);
      return { dtype: 'string', shape, data: row as readonly string[] };
    }
    const numbers = row as Exclude<NpyValues, readonly string[]>;
    if (dtype === input.dtype) return { dtype, shape, data: numbers };
    const values = dtype === 'float16' ? Float32Array.from(numbers as Uint16Array, halfToFloat) : numbers;
    return { dtype: input.dtype, shape, data: toDType(values, input.dtype, what) };
  };
  // Beside an input without a batch axis, such as a scalar, one with it gets a batch of one.
  const isAlone = batchless && !hasWholeInputs(array, input);
  return { array, input: input.name, convert: isAlone ? (row) => batchOfOne(convert(row)) : convert };
}

/** Shape of a row for the input, or throws: rows of N x the input without its batch axis, or N x the input as it is. */
function rowShape(array: NpyArray, input: InputTensor): readonly number[] {
  const row = array.header.shape.slice(1);
  const wanted = hasWholeInputs(array, input) ? input.shape : input.shape.slice(1);
  const fits =
    row.length === wanted.length && row.every((dim, axis) => typeof wanted[axis] !== 'number' || wanted[axis] === dim);
  if (!fits || (array.header.dtype === 'string') !== (input.dtype === 'string')) throw mismatch(array, input);
  return row;
}

function mismatch({ name, header }: NpyArray, input: InputTensor): HoneError {
  const shape = input.shape.map((dim) => dim ?? '?').join(', ');
  return new HoneError(
    'data-mismatch',
    `The array '${name}' is ${header.dtype} [${header.shape.join(', ')}], and the input '${input.name}' takes ${input.dtype} [${shape}].`,
    { where: { tensor: input.name } },
  );
}

function interleave(row: Uint8Array, [height, width, channels, planar]: ReturnType<typeof pictureShape>): Pixels {
  const count = height * width;
  const stored = channels === 4 ? 4 : 3;
  if (channels === stored && !planar) return { data: row, width, height, channels: stored };
  const data = new Uint8Array(count * stored);
  for (let pixel = 0; pixel < count; pixel++) {
    for (let channel = 0; channel < stored; channel++) {
      const from = channels === 1 ? pixel : planar ? channel * count + pixel : pixel * channels + channel;
      data[pixel * stored + channel] = row[from] as number;
    }
  }
  return { data, width, height, channels: stored };
}

function commonCount(arrays: readonly NpyArray[], path: string): number {
  const first = arrays[0] as NpyArray;
  const count = first.header.shape[0] ?? 0;
  const other = arrays.find(({ header }) => (header.shape[0] ?? 0) !== count);
  if (other !== undefined) {
    throw new HoneError(
      'data-mismatch',
      `The arrays of ${path} hold different numbers of samples: '${first.name}' ${count}, '${other.name}' ${other.header.shape[0] ?? 0}.`,
      { where: { file: path } },
    );
  }
  if (count === 0)
    throw new HoneError('data-empty', `The arrays of ${path} hold no samples.`, { where: { file: path } });
  return count;
}

async function readAll(
  archive: ZipArchive,
  array: NpyArray,
): Promise<readonly (number | string | readonly number[])[]> {
  const values: (number | string | readonly number[])[] = [];
  for await (const row of npyRows(await archive.stream(array.entry), array.header, null, array.name)) {
    const plain =
      array.header.dtype === 'float16'
        ? Array.from(row as Uint16Array, halfToFloat)
        : Array.from(row as ArrayLike<number | string | bigint>, (value) =>
            typeof value === 'bigint' ? Number(value) : value,
          );
    values.push(plain.length === 1 ? (plain[0] as number | string) : (plain as number[]));
  }
  return values;
}

async function readLabels(
  archive: ZipArchive,
  array: NpyArray,
  classList: ClassList | null,
  signature: ModelSignature,
  notes: DatasetNote[],
): Promise<LabelColumn> {
  const column = labelColumn(await readAll(archive, array), classList, classCountOf(signature));
  notes.push(...column.notes);
  return column;
}

function maskRow({ header, name }: NpyArray): (row: NpyValues) => HostTensor {
  return (row) => {
    const numbers = row as Exclude<NpyValues, readonly string[]>;
    return {
      dtype: 'uint8',
      shape: header.shape.slice(1).filter((dim) => dim !== 1),
      data: toDType(numbers, 'uint8', `the array '${name}'`),
    };
  };
}

function maskLabel({ shape, data }: HostTensor): Label {
  return { kind: 'mask', height: shape[0] ?? 1, width: shape[1] ?? 1, classes: data as Uint8Array };
}
