/** Waiting for something that happens in another process. */
import { setTimeout as sleep } from 'node:timers/promises';

/** Resolves when the condition holds; the test's own time limit ends it otherwise. */
export async function waitUntil(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(10);
}
