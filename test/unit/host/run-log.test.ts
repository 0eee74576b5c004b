import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readRunLog } from '../../../native-workers/host/run-log.ts';
import { Log } from '../../../native-workers/lib/log.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

describe('readRunLog', () => {
  it('reads back what a log wrote, lines of several lines included', async () => {
    const folder = temporaryFolder();
    const log = new Log(join(folder, 'log.txt'));
    log.write('info', 'inspect: done');
    log.write('warning', 'two lines:\nthe second');
    log.write('error', 'optimize: worker-crashed: gone');
    const lines = await readRunLog(folder);
    expect(lines.map(({ level, message }) => [level, message])).toEqual([
      ['info', 'inspect: done'],
      ['warning', 'two lines:\nthe second'],
      ['error', 'optimize: worker-crashed: gone'],
    ]);
    expect(lines.every((line) => Number.isFinite(line.time))).toBe(true);
  });

  it('has no lines where there is no log', async () => {
    expect(await readRunLog(temporaryFolder())).toEqual([]);
  });

  it('reads a long log from its end, and begins with a whole line', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'log.txt');
    writeFileSync(path, '');
    const line = (index: number): string => `2026-03-04T10:20:30.000Z info    line ${index} ${'x'.repeat(200)}\n`;
    for (let index = 0; index < 30_000; index += 1000) {
      appendFileSync(path, Array.from({ length: 1000 }, (_, at) => line(index + at)).join(''));
    }
    const lines = await readRunLog(folder);
    expect(lines.length).toBeLessThan(30_000);
    expect(lines[0]?.message).toMatch(/^line \d+ x{200}$/);
    expect(lines.at(-1)?.message).toContain('line 29999 ');
  });
});
