/** Of progress only the latest is sent, and only to a page that keeps up; nothing else waits or is dropped. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { PacedEvents } from '../../../native-workers/host/paced-events.ts';
import type { StudioEvent } from '../../../native-workers/protocol/studio.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const progress = (run: string, done: number): StudioEvent => ({
  type: 'progress',
  run,
  stage: 'optimize',
  progress: { phase: 'quantizing', done, total: 10 },
});
const log = (message: string): StudioEvent => ({ type: 'log', run: 'a', level: 'info', message });
const ended = (id: string): StudioEvent => ({ type: 'run', manifest: { id } }) as unknown as StudioEvent;

describe('events', () => {
  it('of progress are the latest of each run, the rest is sent at once and in order', () => {
    const sent: StudioEvent[] = [];
    const events = new PacedEvents((event) => sent.push(event));
    for (const event of [progress('a', 1), log('one'), progress('a', 2), progress('b', 1), log('two')])
      events.push(event);
    expect(sent).toEqual([log('one'), log('two')]);
    vi.runAllTimers();
    expect(sent.slice(2)).toEqual([progress('a', 2), progress('b', 1)]);
    events.push(progress('a', 3));
    vi.runAllTimers();
    expect(sent.slice(4)).toEqual([progress('a', 3)]);
  });

  it('of progress are not sent after the run has changed', () => {
    const sent: StudioEvent[] = [];
    const events = new PacedEvents((event) => sent.push(event));
    events.push(progress('a', 1));
    events.push(ended('a'));
    vi.runAllTimers();
    expect(sent).toEqual([ended('a')]);
  });

  it('of progress wait for a page that does not keep up', () => {
    const sent: StudioEvent[] = [];
    let keepsUp = false;
    const events = new PacedEvents(
      (event) => sent.push(event),
      () => keepsUp,
    );
    events.push(progress('a', 1));
    vi.advanceTimersByTime(1000);
    events.push(progress('a', 2));
    expect(sent).toEqual([]);
    keepsUp = true;
    vi.advanceTimersByTime(1000);
    expect(sent).toEqual([progress('a', 2)]);
  });

  it('are not sent after the end', () => {
    const sent: StudioEvent[] = [];
    const events = new PacedEvents((event) => sent.push(event));
    events.push(progress('a', 1));
    events.end();
    vi.runAllTimers();
    expect(sent).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });
});
