/**
 * Samples that are read once and then kept, as the model takes them, in one file: calibration and searches walk the same samples
 * many times, and decoding pictures can take longer than the model.
 */
import { randomUUID } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { elementCount } from '../graph/dtype.ts';
import type { HostTensor, NumericArray } from '../lib/engine.ts';
import type { SampleRow, SampleSource, SkippedSample } from './dataset.ts';
import { allocate } from './numbers.ts';

/** Bytes that are kept; samples beyond that are read again each time. */
const MOST_BYTES = 4 * 2 ** 30;

interface KeptRow extends Omit<SampleRow, 'feeds'> {
  /** Where each tensor stands in the file. */
  readonly feeds: Readonly<Record<string, Omit<HostTensor, 'data'> & { readonly at: number }>>;
}

/** `source` with its samples kept in a new file of `folder`, which must outlive it. Its samples have numeric tensors only. */
export function keptRows(source: SampleSource, folder: string, mostBytes: number = MOST_BYTES): SampleSource {
  const kept = new Map<number, KeptRow | SkippedSample>();
  let file: Promise<FileHandle> | null = null;
  let end = 0;

  const keep = async (index: number, row: SampleRow): Promise<void> => {
    const tensors = Object.entries(row.feeds);
    const bytes = tensors.reduce((sum, [, { data }]) => sum + (data as NumericArray).byteLength, 0);
    if (end + bytes > mostBytes) return;
    file ??= open(join(folder, `samples-${randomUUID()}.bin`), 'w+');
    const handle = await file;
    const feeds: Record<string, KeptRow['feeds'][string]> = {};
    for (const [name, { dtype, shape, data }] of tensors) {
      await handle.write(bytesOf(data as NumericArray), { position: end });
      feeds[name] = { dtype, shape, at: end };
      end += (data as NumericArray).byteLength;
    }
    kept.set(index, { ...row, feeds });
  };

  const read = async (row: KeptRow): Promise<SampleRow> => {
    const feeds: Record<string, HostTensor> = {};
    for (const [name, { dtype, shape, at }] of Object.entries(row.feeds)) {
      const data = allocate(dtype, elementCount(shape));
      await (await file)?.read(bytesOf(data), { position: at });
      feeds[name] = { dtype, shape, data };
    }
    return { ...row, feeds };
  };

  return {
    ...source,
    async *rows(indexes, skip) {
      const wanted = indexes ?? Array.from({ length: source.count }, (_, index) => index);
      const missing = wanted.filter((index) => !kept.has(index));
      // The source gives or skips each index in turn, so the next of them is always the first that is missing.
      let next = 0;
      const fresh = source
        .rows(missing.length === source.count ? null : missing, (sample) => kept.set(missing[next++] as number, sample))
        [Symbol.asyncIterator]();
      try {
        // Asking for the next sample skips those before it that cannot be read.
        let ahead: { readonly index: number; readonly row: SampleRow } | null = null;
        for (const index of wanted) {
          while (!kept.has(index) && ahead?.index !== index) {
            const step = await fresh.next();
            if (step.done === true) break;
            ahead = { index: missing[next++] as number, row: step.value };
            await keep(ahead.index, ahead.row);
          }
          const found = ahead?.index === index ? ahead.row : kept.get(index);
          if (found === undefined) continue;
          if ('reason' in found) skip(found);
          else yield found === ahead?.row ? found : await read(found as KeptRow);
        }
      } finally {
        await fresh.return?.();
      }
    },
    async close() {
      await source.close();
      await (await file)?.close();
    },
  };
}

function bytesOf(data: NumericArray): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
