import { describe, expect, it } from 'vitest';
import { type Death, deathError } from '../../../native-workers/host/worker-death.ts';

const DEATH: Death = { job: 'stage-optimize', code: null, signal: null, output: '', killedForMemory: null };

describe('deathError', () => {
  it.each<[string, Partial<Death>, string]>([
    ['a full V8 heap', { signal: 'SIGABRT', output: 'FATAL ERROR: Reached heap limit' }, 'worker-out-of-memory'],
    ['std::bad_alloc', { signal: 'SIGABRT', output: "instance of 'std::bad_alloc'" }, 'worker-out-of-memory'],
    ['a failed allocation', { code: 1, output: 'Failed to allocate memory for tensor' }, 'worker-out-of-memory'],
    ['SIGKILL when the system counted a kill', { signal: 'SIGKILL', killedForMemory: true }, 'worker-out-of-memory'],
    ['SIGKILL where the system does not count', { signal: 'SIGKILL' }, 'worker-out-of-memory'],
    ['SIGKILL by somebody', { signal: 'SIGKILL', killedForMemory: false }, 'worker-crashed'],
    ['a segmentation fault', { signal: 'SIGSEGV' }, 'worker-crashed'],
    ['an exit code', { code: 3 }, 'worker-crashed'],
  ])('%s', (_, death, code) => {
    expect(deathError({ ...DEATH, ...death }).code).toBe(code);
  });

  it('quotes the last lines only', () => {
    const output = ['one', 'two', 'three', '', 'four', 'Node.js v24.21.0', ''].join('\n');
    expect(deathError({ ...DEATH, code: 7, output }).message).toBe(
      'The worker of stage-optimize ended with exit code 7. Its last words: two three four',
    );
  });
});
