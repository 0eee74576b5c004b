import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Log } from '../../../native-workers/lib/log.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

it('appends a line an entry, and indents what has several', () => {
  const path = join(temporaryFolder(), 'log.txt');
  new Log(path).write('info', 'one');
  new Log(path).write('warning', 'two\nthree\n');
  const lines = readFileSync(path, 'utf8').split('\n');
  expect(lines[0]).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z info {4}one$/);
  expect(lines[1]).toMatch(/Z warning two$/);
  expect(lines.slice(2)).toEqual(['  three', '']);
});

it('does not fail the work that it tells of', () => {
  expect(() => new Log(join(temporaryFolder(), 'none', 'log.txt')).write('error', 'lost')).not.toThrow();
});
