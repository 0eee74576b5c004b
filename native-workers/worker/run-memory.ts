/**
 * What the passes of a run have measured, kept in the run folder: a run that is resumed does not calibrate, evaluate or profile
 * the same again. Each answer is a file named by the hash of its key, which holds all that decides the answer, so that a result of
 * another model, data or options is never taken.
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from '../lib/atomic-file.ts';
import type { Memory } from '../passes/pass.ts';

export class RunMemory implements Memory {
  readonly #folder: string;

  /** `folder` is made with the first answer. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** A file that is damaged, or holds something else than `schema` says, is as good as none. */
  async recall<Answer>(
    key: readonly unknown[],
    schema: z.ZodType<Answer>,
    measure: () => Promise<Answer>,
  ): Promise<Answer> {
    const name = createHash('sha256').update(JSON.stringify(key)).digest('hex');
    const path = join(this.#folder, `${name}.json`);
    const known = z.safeDecode(schema, await readJson(path));
    if (known.success) return known.data;
    const answer = await measure();
    await mkdir(this.#folder, { recursive: true });
    await writeFileAtomic(path, `${JSON.stringify(z.encode(schema, answer))}\n`);
    return answer;
  }

  /** Removes all answers: the work that needed them is done. */
  async forget(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** undefined where there is none. */
async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch {
    return undefined;
  }
}
