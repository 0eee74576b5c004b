import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { RunMemory } from '../../../native-workers/worker/run-memory.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

describe('RunMemory', () => {
  it('recalls in another process what was measured under the same key, and nothing else', async () => {
    const folder = join(temporaryFolder(), 'measured');
    let measured = 0;
    const measure = async () => ++measured;
    expect(await new RunMemory(folder).recall(['a', 1], z.number(), measure)).toBe(1);
    const later = new RunMemory(folder);
    expect(await later.recall(['a', 1], z.number(), measure)).toBe(1);
    expect(await later.recall(['a', 2], z.number(), measure)).toBe(2);
    expect(await new RunMemory(folder).recall(['a', 2], z.number(), measure)).toBe(2);
  });

  it('keeps answers in the form that their schema gives them', async () => {
    const folder = join(temporaryFolder(), 'measured');
    const schema = z.codec(z.string(), z.date(), { decode: (text) => new Date(text), encode: (date) => date.toJSON() });
    const date = new Date(0);
    expect(await new RunMemory(folder).recall(['d'], schema, async () => date)).toBe(date);
    expect(await new RunMemory(folder).recall(['d'], schema, () => Promise.reject(new Error('measured')))).toEqual(
      date,
    );
  });

  it('measures again where the file is damaged or holds something else', async () => {
    const folder = join(temporaryFolder(), 'measured');
    await new RunMemory(folder).recall(['a'], z.number(), async () => 1);
    expect(await new RunMemory(folder).recall(['a'], z.string(), async () => 'text')).toBe('text');
    const [name = ''] = readdirSync(folder);
    writeFileSync(join(folder, name), '{"half": ');
    expect(await new RunMemory(folder).recall(['a'], z.number(), async () => 3)).toBe(3);
  });

  it('forgets all', async () => {
    const folder = join(temporaryFolder(), 'measured');
    const memory = new RunMemory(folder);
    await memory.recall(['a'], z.number(), async () => 1);
    await memory.forget();
    expect(existsSync(folder)).toBe(false);
  });
});
