import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { TrialMemory } from '../../../native-workers/worker/trial-memory.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

describe('TrialMemory', () => {
  it('recalls in another process what was measured under the same key, and nothing else', async () => {
    const path = join(temporaryFolder(), 'search-results.json');
    let measured = 0;
    const measure = async () => ++measured;
    expect(await new TrialMemory(path).recall(['a', 1], z.number(), measure)).toBe(1);
    const later = new TrialMemory(path);
    expect(await later.recall(['a', 1], z.number(), measure)).toBe(1);
    expect(await later.recall(['a', 2], z.number(), measure)).toBe(2);
    expect(await new TrialMemory(path).recall(['a', 2], z.number(), measure)).toBe(2);
  });

  it('measures again where the file is damaged or holds something else', async () => {
    const path = join(temporaryFolder(), 'search-results.json');
    await new TrialMemory(path).recall(['a'], z.number(), async () => 1);
    expect(await new TrialMemory(path).recall(['a'], z.string(), async () => 'text')).toBe('text');
    writeFileSync(path, '{"half": ');
    expect(await new TrialMemory(path).recall(['a'], z.number(), async () => 3)).toBe(3);
  });
});
