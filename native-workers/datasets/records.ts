/** Rows of `.csv` and `.jsonl` files as records, streamed: a file is never in memory as a whole. */
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { parse } from 'csv-parse';
import { HoneError, toHoneError } from '../protocol/errors.ts';
import type { SkippedSample } from './dataset.ts';

export type TableRow = Readonly<Record<string, unknown>>;

export type TableKind = 'csv' | 'jsonl';

/** One line of a table; a longer one is damaged, or made to use up the memory. */
const MOST_LINE_BYTES = 64 * 2 ** 20;

/** Rows in order. A row that cannot be read is told to `skip`, under its line number, and left out. */
export async function* readRecords(
  path: string,
  kind: TableKind,
  skip: (skipped: SkippedSample) => void,
): AsyncGenerator<TableRow> {
  try {
    yield* kind === 'csv' ? readCsv(path, skip) : readJsonLines(path, skip);
  } catch (thrown) {
    const error = toHoneError(thrown);
    if (error.code !== 'internal') throw error;
    throw new HoneError('data-unreadable', `${path} is no readable ${kind} file: ${error.message}.`, {
      where: { file: path },
      cause: thrown,
    });
  }
}

async function* readCsv(path: string, skip: (skipped: SkippedSample) => void): AsyncGenerator<TableRow> {
  const parser = parse({
    columns: (header: string[]) => header.map((name) => name.trim()),
    bom: true,
    skip_empty_lines: true,
    skip_records_with_error: true,
    max_record_size: MOST_LINE_BYTES,
    on_skip: (error) => {
      if (error !== undefined) skip({ sample: `line ${error['lines'] ?? '?'}`, reason: error.message });
      return undefined;
    },
  });
  const stream = createReadStream(path);
  stream.on('error', (error) => parser.destroy(error));
  try {
    for await (const record of stream.pipe(parser)) yield record as TableRow;
  } finally {
    stream.destroy();
  }
}

async function* readJsonLines(path: string, skip: (skipped: SkippedSample) => void): AsyncGenerator<TableRow> {
  let number = 0;
  for await (const line of readLines(path)) {
    number++;
    const text = line.trim();
    if (text === '') continue;
    try {
      const value: unknown = JSON.parse(text);
      if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('it is no JSON object');
      yield value as TableRow;
    } catch (thrown) {
      if (!(thrown instanceof Error)) throw thrown;
      skip({ sample: `line ${number}`, reason: thrown.message });
    }
  }
}

async function* readLines(path: string): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const piece of createReadStream(path)) {
    const lines = (rest + decoder.decode(piece as Buffer, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > MOST_LINE_BYTES) throw new Error(`a line is longer than ${MOST_LINE_BYTES} characters`);
    yield* lines;
  }
  yield rest + decoder.decode();
}

/** The rows of a small table, for labels beside pictures. */
export async function parseRecords(bytes: Buffer, kind: TableKind): Promise<TableRow[]> {
  const records: TableRow[] = [];
  if (kind === 'jsonl') {
    for (const line of bytes.toString('utf8').split('\n')) {
      if (line.trim() === '') continue;
      const value: unknown = JSON.parse(line);
      if (typeof value === 'object' && value !== null) records.push(value as TableRow);
    }
    return records;
  }
  const parser = parse(bytes, { columns: true, bom: true, skip_empty_lines: true });
  for await (const record of parser) records.push(record as TableRow);
  return records;
}

/** JSON text of a file. Throws `file-missing`, `no-permission` or `data-unreadable`. */
export async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (thrown) {
    const error = toHoneError(thrown);
    if (error.code !== 'internal') throw error;
    throw new HoneError('data-unreadable', `${path} is no valid JSON: ${error.message}.`, { where: { file: path } });
  }
}
