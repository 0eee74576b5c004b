/** Reads `log.txt` of a run folder back as lines, for a page that was not there when they were written. */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { toHoneError } from '../protocol/errors.ts';
import type { StudioResult } from '../protocol/studio.ts';
import { LOG } from './run-store.ts';

type Lines = StudioResult<'runs.log'>;

/** A log that is longer is read from its end. */
const MOST_BYTES = 4 << 20;

/** The last lines of the log, oldest first; none where there is no log. Throws `file-unreadable` and the like. */
export async function readRunLog(folder: string): Promise<Lines> {
  try {
    await using file = await open(join(folder, LOG));
    const { size } = await file.stat();
    const start = Math.max(0, size - MOST_BYTES);
    const bytes = Buffer.alloc(size - start);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, start);
    return parseLog(bytes.toString('utf8', 0, bytesRead));
  } catch (thrown) {
    const error = toHoneError(thrown);
    if (error.code === 'file-missing') return [];
    throw error;
  }
}

const LINE = /^(\d{4}-\d\d-\d\dT[\d:.]+Z) (info|warning|error)\s+(.*)$/;

/** Lines as `lib/log.ts` writes them; what follows indented belongs to the line before. */
export function parseLog(text: string): Lines {
  const lines: { time: number; level: Lines[number]['level']; message: string }[] = [];
  for (const line of text.split('\n')) {
    const [, time, level, message = ''] = LINE.exec(line) ?? [];
    const last = lines.at(-1);
    if (time !== undefined && (level === 'info' || level === 'warning' || level === 'error')) {
      lines.push({ time: Date.parse(time), level, message });
    } else if (last !== undefined && line.startsWith('  ')) last.message += `\n${line.slice(2)}`;
  }
  return lines;
}
