import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Lanes } from '../../../native-workers/host/lanes.ts';

/** Tasks by name that run until they are let go, and the order in which things happened. */
function watched(width: number) {
  const lanes = new Lanes(width);
  const events: string[] = [];
  const letGo = new Map<string, () => void>();
  const start = (name: string, alone = false, signal?: AbortSignal): Promise<void> =>
    lanes.run(
      alone,
      () => {
        events.push(name);
        return new Promise<void>((resolve) => letGo.set(name, resolve));
      },
      signal,
    );
  const end = async (name: string): Promise<void> => {
    letGo.get(name)?.();
    await turn();
  };
  return { lanes, events, start, end };
}

describe('lanes', () => {
  it('run so many at a time, in the order they came', async () => {
    const { lanes, events, start, end } = watched(2);
    const all = ['a', 'b', 'c', 'd'].map((name) => start(name));
    await turn();
    expect(events).toEqual(['a', 'b']);
    expect([lanes.running, lanes.waiting]).toEqual([2, 2]);
    await end('b');
    expect(events).toEqual(['a', 'b', 'c']);
    for (const name of ['a', 'c', 'd']) await end(name);
    await Promise.all(all);
    expect([lanes.running, lanes.waiting]).toEqual([0, 0]);
  });

  it('run one alone when it has to be, and let nothing overtake it', async () => {
    const { events, start, end } = watched(2);
    const all = [start('a'), start('measured', true), start('b'), start('c')];
    await turn();
    expect(events).toEqual(['a']);
    await end('a');
    expect(events).toEqual(['a', 'measured']);
    await end('measured');
    expect(events).toEqual(['a', 'measured', 'b', 'c']);
    await end('b');
    await end('c');
    await Promise.all(all);
  });

  it('go on after a task that fails', async () => {
    const lanes = new Lanes(1);
    const failing = lanes.run(true, async () => {
      throw new Error('no');
    });
    const next = lanes.run(false, async () => 'yes');
    await expect(failing).rejects.toThrow('no');
    expect(await next).toBe('yes');
  });

  it('drop one that is cancelled while it waits, and let the next in', async () => {
    const { events, start, end } = watched(2);
    const cancel = new AbortController();
    const first = start('a');
    const waiting = start('measured', true, cancel.signal);
    const last = start('b');
    await turn();
    cancel.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'cancelled' });
    expect(events).toEqual(['a', 'b']);
    await end('a');
    await end('b');
    await Promise.all([first, last]);
  });
});
