/**
 * What a search has measured, kept in the run folder: a run that is resumed does not evaluate or profile the same candidate on
 * the same data again. The key holds all that decides the answer, so a result of other data or options is never taken.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import { writeFileAtomic } from '../lib/atomic-file.ts';

const memorySchema = z.record(z.string(), z.unknown());

export class TrialMemory {
  readonly #path: string;
  readonly #answers: Map<string, unknown>;

  /** Reads what is there; a file that is damaged is as good as none. */
  constructor(path: string) {
    this.#path = path;
    this.#answers = new Map(Object.entries(existsSync(path) ? readMemory(path) : {}));
  }

  /** The answer for `key`, measured by `measure` when it is not known or does not follow `schema`. */
  async recall<Answer>(
    key: readonly unknown[],
    schema: z.ZodType<Answer>,
    measure: () => Promise<Answer>,
  ): Promise<Answer> {
    const name = createHash('sha256').update(JSON.stringify(key)).digest('hex');
    const known = schema.safeParse(this.#answers.get(name));
    if (known.success) return known.data;
    const answer = await measure();
    this.#answers.set(name, answer);
    await writeFileAtomic(this.#path, `${JSON.stringify(Object.fromEntries(this.#answers))}\n`);
    return answer;
  }
}

function readMemory(path: string): Record<string, unknown> {
  try {
    return memorySchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return {};
  }
}
