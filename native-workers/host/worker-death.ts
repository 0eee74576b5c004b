/** What the death of a job process means, from all that it leaves: exit code, signal, last words, and the system's count. */
import { readFileSync } from 'node:fs';
import { HoneError } from '../protocol/errors.ts';

export interface Death {
  readonly job: string;
  readonly code: number | null;
  /** Not one that the supervisor sent. */
  readonly signal: string | null;
  /** The end of what the process wrote to standard error and output. */
  readonly output: string;
  /** True when the system ended a process for want of memory meanwhile; null when that cannot be known. */
  readonly killedForMemory: boolean | null;
}

/** What V8, the C++ library and engines write before they give up for want of memory. */
const OUT_OF_MEMORY = /heap out of memory|heap limit|std::bad_alloc|Failed to allocate memory|Cannot allocate memory/i;

/** Of the last words, as much as a person reads. */
const QUOTED_LINES = 3;
const QUOTED_CHARACTERS = 400;

export function deathError(death: Death): HoneError {
  const { job, code, signal, output } = death;
  if (OUT_OF_MEMORY.test(output)) {
    return new HoneError('worker-out-of-memory', `The worker of ${job} could not get the memory it asked for.`);
  }
  if (signal === 'SIGKILL' && death.killedForMemory !== false) {
    return new HoneError(
      'worker-out-of-memory',
      `The worker of ${job} was ended from outside (SIGKILL), most likely by the system for want of memory.`,
    );
  }
  const how = signal === null ? `ended with exit code ${code}` : `was ended by signal ${signal}`;
  return new HoneError('worker-crashed', `The worker of ${job} ${how}.${lastWords(output)}`);
}

function lastWords(output: string): string {
  const lines = output.split('\n').filter((line) => line.trim() !== '' && !/^Node\.js v\d/.test(line));
  const last = lines.slice(-QUOTED_LINES).join(' ').trim().slice(-QUOTED_CHARACTERS);
  return last === '' ? '' : ` Its last words: ${last}`;
}

/** How many processes the kernel has ended for want of memory since it started; null where it does not say. */
export function memoryKills(): number | null {
  if (process.platform !== 'linux') return null;
  try {
    const count = /^oom_kill (\d+)$/m.exec(readFileSync('/proc/vmstat', 'utf8'))?.[1];
    return count === undefined ? null : Number(count);
  } catch {
    return null;
  }
}
