/** `.csv` and `.jsonl`: a column for each input, text to tokenize, or one column for each number of a single input. */

import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { elementCount } from '../graph/dtype.ts';
import type { Feeds, HostTensor } from '../lib/engine.ts';
import { hashFile } from '../lib/hash-file.ts';
import { HoneError } from '../protocol/errors.ts';
import type { Preprocess } from '../protocol/request.ts';
import type { ClassList } from './classes.ts';
import type { DatasetNote, DatasetReading, SampleSource, SkippedSample } from './dataset.ts';
import { labelColumn } from './labels.ts';
import { toDType } from './numbers.ts';
import { readRecords, type TableKind, type TableRow } from './records.ts';
import {
  batchOfOne,
  classCountOf,
  type InputTensor,
  inputTensor,
  type ModelSignature,
  takesScalar,
} from './signature.ts';
import { openTextEncoding, takesTokens } from './tokenizer.ts';

const LABEL_COLUMNS = ['label', 'labels', 'y', 'target', 'class'];
const GROUP_COLUMNS = ['group', 'subgroup'];
const OTHER_COLUMNS = ['id', 'idx', 'index', 'name', 'sample'];
/** Columns that hold a text, and where there are two, its pair. */
const TEXT_COLUMNS: readonly (readonly [string, string?])[] = [
  ['sentence1', 'sentence2'],
  ['premise', 'hypothesis'],
  ['question', 'context'],
  ['question1', 'question2'],
  ['query', 'passage'],
  ['text', 'text_pair'],
  ['text'],
  ['sentence'],
  ['content'],
  ['review'],
  ['prompt'],
  ['title'],
];

/** How a row becomes feeds. */
interface Reading {
  read(row: TableRow): Feeds;
  readonly padding?: Readonly<Record<string, number>>;
  readonly preprocess: Preprocess | null;
  readonly reading?: DatasetReading;
  readonly notes: readonly DatasetNote[];
}

/**
 * `folders`: where a tokenizer may lie. Throws `data-empty`, `data-unreadable`, and `data-mismatch` naming the inputs that the
 * columns do not fill, or when the first row does not fit the model. Later rows that do not fit are skipped.
 */
export async function openTable(
  path: string,
  kind: TableKind,
  signature: ModelSignature,
  preprocess: Preprocess,
  classList: ClassList | null,
  folders: readonly string[],
): Promise<SampleSource> {
  const scan = await scanTable(path, kind, signature);
  const reading = await readingOf(scan.first, signature, preprocess, folders);
  reading.read(scan.first);
  const labels = scan.labels === null ? null : labelColumn(scan.labels, classList, classCountOf(signature));
  return {
    name: basename(path),
    kind,
    count: scan.count,
    labelled: labels !== null,
    grouped: scan.groups !== null,
    classes: labels?.classes ?? null,
    classesAssumed: labels?.assumed ?? false,
    preprocess: reading.preprocess,
    ...(reading.reading === undefined ? {} : { reading: reading.reading }),
    notes: [...reading.notes, ...(labels?.notes ?? [])],
    ...(reading.padding === undefined ? {} : { padding: reading.padding }),
    batchless: takesScalar(signature),
    known: (index) => ({ sample: String(index), label: labels?.labelOf(index) ?? null }),
    async *rows(indexes, skip) {
      const wanted = indexes === null ? null : new Set(indexes);
      let index = -1;
      for await (const row of readRecords(path, kind, skip)) {
        index++;
        if (wanted !== null && !wanted.delete(index)) continue;
        const feeds = tryRead(reading, row, String(index), skip);
        if (feeds !== null) {
          yield {
            sample: String(index),
            feeds,
            label: labels?.labelOf(index) ?? null,
            group: scan.groups?.[index] ?? null,
          };
        }
        if (wanted?.size === 0) return;
      }
    },
    sha256: async () => (await hashFile(path)).sha256,
    close: async () => undefined,
  };
}

function tryRead(
  reading: Reading,
  row: TableRow,
  sample: string,
  skip: (skipped: SkippedSample) => void,
): Feeds | null {
  try {
    return reading.read(row);
  } catch (thrown) {
    // A tokenizer that gives impossible ids does so for the whole table.
    if (!(thrown instanceof RowError)) throw thrown;
    skip({ sample, reason: thrown.message });
    return null;
  }
}

/** A row that is not like the first. */
class RowError extends HoneError {
  constructor(message: string) {
    super('data-mismatch', message);
  }
}

interface Scan {
  readonly count: number;
  readonly first: TableRow;
  readonly labels: (number | string | readonly number[] | null)[] | null;
  readonly groups: string[] | null;
}

async function scanTable(path: string, kind: TableKind, signature: ModelSignature): Promise<Scan> {
  const isInput = (name: string): boolean => signature.inputs.some((input) => input.name === name);
  const labels: Scan['labels'] = [];
  const groups: string[] = [];
  let first: TableRow | null = null;
  let labelName: string | undefined;
  let groupName: string | undefined;
  for await (const row of readRecords(path, kind, () => undefined)) {
    if (first === null) {
      first = row;
      labelName = LABEL_COLUMNS.find((name) => name in row && !isInput(name));
      groupName = GROUP_COLUMNS.find((name) => name in row && !isInput(name));
    }
    labels.push(labelName === undefined ? null : rawLabel(row[labelName]));
    if (groupName !== undefined) groups.push(String(row[groupName] ?? ''));
  }
  if (first === null)
    throw new HoneError('data-empty', `${path} holds no rows that can be read.`, { where: { file: path } });
  return {
    count: labels.length,
    first,
    labels: labelName === undefined ? null : labels,
    groups: groupName === undefined ? null : groups,
  };
}

function rawLabel(value: unknown): number | string | readonly number[] | null {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (typeof value === 'string') return value === '' ? null : value;
  return Array.isArray(value) ? value.map(Number) : null;
}

async function readingOf(
  row: TableRow,
  signature: ModelSignature,
  preprocess: Preprocess,
  folders: readonly string[],
): Promise<Reading> {
  const inputs = signature.inputs.map(inputTensor);
  const missing = inputs.filter(({ name }) => !(name in row));
  if (missing.length === 0) {
    const read = (record: TableRow, input: InputTensor): HostTensor => {
      const tensor = tensorOf(record[input.name], input);
      return takesScalar(signature) && input.shape.length > 0 ? batchOfOne(tensor) : tensor;
    };
    return {
      preprocess: null,
      notes: [],
      read: (record) => Object.fromEntries(inputs.map((input) => [input.name, read(record, input)])),
    };
  }
  const text =
    TEXT_COLUMNS.find((columns) => columns.every((name) => name !== undefined && typeof row[name] === 'string')) ??
    onlyText(row);
  if (text !== null && takesTokens(signature)) return textReading(text, signature, preprocess, folders);
  const numbers = Object.keys(row).filter((name) => isFeature(name) && isNumeric(row[name]));
  const [only] = inputs;
  if (inputs.length === 1 && only !== undefined && only.shape.length === 2 && numbers.length > 1)
    return featureReading(numbers, only);
  const names = missing.map(({ name }) => `'${name}'`).join(', ');
  throw new HoneError(
    'data-mismatch',
    `The table has no column for the input ${names}. It has ${Object.keys(row).join(', ')}.`,
  );
}

function onlyText(row: TableRow): readonly [string] | null {
  const texts = Object.keys(row).filter(
    (name) => isFeature(name) && typeof row[name] === 'string' && !isNumeric(row[name]),
  );
  return texts.length === 1 && texts[0] !== undefined ? [texts[0]] : null;
}

const isFeature = (name: string): boolean => ![...LABEL_COLUMNS, ...GROUP_COLUMNS, ...OTHER_COLUMNS].includes(name);

const isNumeric = (value: unknown): boolean =>
  typeof value === 'number' ||
  typeof value === 'boolean' ||
  (typeof value === 'string' && value.trim() !== '' && Number.isFinite(Number(value)));

async function textReading(
  [column, pairColumn]: readonly [string, string?],
  signature: ModelSignature,
  preprocess: Preprocess,
  folders: readonly string[],
): Promise<Reading> {
  const path = preprocess.tokenizer ?? (await findTokenizer(folders));
  if (path === null) {
    throw new HoneError(
      'data-mismatch',
      `The column '${column}' holds text and the model takes tokens; name a tokenizer.json in the preprocessing, or put it beside the data.`,
    );
  }
  const encoding = await openTextEncoding(path, signature, preprocess, folders);
  const textOf = (row: TableRow, name: string): string => {
    const value = row[name];
    if (typeof value !== 'string') throw new RowError(`The column '${name}' holds no text.`);
    return value;
  };
  return {
    padding: encoding.padding,
    preprocess: encoding.preprocess,
    reading: { tokens: encoding.tokens },
    notes: encoding.notes,
    read: (row) => encoding.encode(textOf(row, column), pairColumn === undefined ? null : textOf(row, pairColumn)),
  };
}

async function findTokenizer(folders: readonly string[]): Promise<string | null> {
  for (const folder of folders) {
    const path = join(folder, 'tokenizer.json');
    if (
      await stat(path).then(
        (found) => found.isFile(),
        () => false,
      )
    )
      return path;
  }
  return null;
}

function featureReading(columns: readonly string[], input: InputTensor): Reading {
  const wanted = input.shape[1];
  if (typeof wanted === 'number' && wanted !== columns.length) {
    throw new HoneError(
      'data-mismatch',
      `The input '${input.name}' takes ${wanted} numbers, and the table has ${columns.length} columns of numbers: ${columns.join(', ')}.`,
      { where: { tensor: input.name } },
    );
  }
  const message = `No column is named '${input.name}'; it is filled from the columns ${columns.join(', ')}, in this order.`;
  return {
    preprocess: null,
    reading: { columns: { [input.name]: columns } },
    notes: [{ code: 'columns-by-position', message }],
    read: (row) => ({
      [input.name]: tensorOf(
        columns.map((name) => row[name]),
        input,
      ),
    }),
  };
}

/** A cell as the tensor of one sample: a number, nested lists, or their JSON or spaced text in a .csv. */
function tensorOf(cell: unknown, input: InputTensor): HostTensor {
  const wanted = input.shape.slice(1);
  if (input.dtype === 'string') return { dtype: 'string', shape: wanted.map(() => 1), data: [String(cell)] };
  const { shape, values } = flatten(typeof cell === 'string' ? parseCell(cell, input) : cell, input);
  const fits =
    shape.length === wanted.length &&
    shape.every((dim, axis) => typeof wanted[axis] !== 'number' || wanted[axis] === dim);
  // A flat list is taken for a tensor of as many elements; what is not known of the shape is then 1.
  const known = wanted.map((dim) => (typeof dim === 'number' ? dim : 1));
  if (!fits && elementCount(known) !== values.length) {
    throw new RowError(
      `A row has shape [${shape.join(', ')}] for the input '${input.name}', which takes [${wanted.map((dim) => dim ?? '?').join(', ')}].`,
    );
  }
  try {
    const data = toDType(values, input.dtype, `the column for '${input.name}'`);
    return { dtype: input.dtype, shape: fits ? shape : known, data };
  } catch (thrown) {
    throw thrown instanceof HoneError ? new RowError(thrown.message) : thrown;
  }
}

function parseCell(cell: string, input: InputTensor): unknown {
  const text = cell.trim();
  if (!text.startsWith('[')) {
    const parts = text.split(/[\s;]+/);
    return parts.length === 1 ? parts[0] : parts;
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new RowError(`A cell for the input '${input.name}' begins like a list and is none.`);
  }
}

function flatten(cell: unknown, input: InputTensor): { shape: number[]; values: number[] } {
  if (!Array.isArray(cell)) {
    const value = isNumeric(cell) ? Number(cell) : Number.NaN;
    if (Number.isNaN(value))
      throw new RowError(`A cell for the input '${input.name}' is ${JSON.stringify(cell) ?? 'missing'} and no number.`);
    return { shape: [], values: [value] };
  }
  const parts = cell.map((part) => flatten(part, input));
  const inner = parts[0]?.shape ?? [];
  if (parts.some(({ shape }) => shape.join() !== inner.join()))
    throw new RowError(`A list for the input '${input.name}' is ragged.`);
  return { shape: [cell.length, ...inner], values: parts.flatMap(({ values }) => values) };
}
