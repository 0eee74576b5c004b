import { describe, expect, it } from 'vitest';
import { applyRunEvent, type LogLine, mergeLog } from '../../../../renderer/stores/runs.ts';
import { manifest } from '../../../helpers/made-up-studio.ts';

describe('applyRunEvent', () => {
  const progress = (stage: string) =>
    ({ type: 'progress', run: 'x', stage, progress: { phase: 'working', done: 1, total: 2 } }) as const;

  it('keeps the time at which a stage began, and drops the progress of the stage before', () => {
    let runs = applyRunEvent({}, { type: 'run', manifest: manifest('x', 1, 'running') }, 100);
    runs = applyRunEvent(runs, progress('optimize'), 150);
    runs = applyRunEvent(runs, { type: 'run', manifest: manifest('x', 1, 'running') }, 200);
    expect(runs['x']).toMatchObject({ stageSince: 100, progress: { stage: 'optimize' } });
    runs = applyRunEvent(runs, { type: 'run', manifest: manifest('x', 2, 'running') }, 300);
    expect(runs['x']).toMatchObject({ stageSince: 300, progress: null });
    runs = applyRunEvent(runs, { type: 'run', manifest: manifest('x', 9, 'done') }, 400);
    expect(runs['x']).toMatchObject({ stageSince: null, progress: null });
  });

  it('keeps what a pass told of itself through steps that tell nothing, and drops it with the phase', () => {
    const live = { kind: 'ranges', total: 1, ranges: [{ value: 'a', min: 0, max: 1 }] } as const;
    const told = (phase: string, more: object = {}) =>
      ({
        type: 'progress',
        run: 'x',
        stage: 'optimize',
        progress: { phase, done: 1, total: 2, ...more },
      }) as const;
    let runs = applyRunEvent({}, told('INT8', { live: { ...live, ranges: [...live.ranges] } }), 1);
    runs = applyRunEvent(runs, told('INT8'), 2);
    expect(runs['x']?.progress?.value.live).toEqual(live);
    runs = applyRunEvent(runs, told('writing'), 3);
    expect(runs['x']?.progress?.value.live).toBeUndefined();
  });

  it('keeps every log line of every run', () => {
    const log = (run: string, message: string) => ({ type: 'log', run, level: 'info', message }) as const;
    let runs = applyRunEvent({}, log('x', 'one'), 1);
    runs = applyRunEvent(runs, log('y', 'other'), 2);
    runs = applyRunEvent(runs, log('x', 'two'), 3);
    expect(runs['x']?.log.map((line) => line.message)).toEqual(['one', 'two']);
    expect(runs['y']?.log.map((line) => line.message)).toEqual(['other']);
  });
});

describe('mergeLog', () => {
  const lines = (...messages: string[]): LogLine[] =>
    messages.map((message, time) => ({ time, level: 'info', message }));
  const merged = (read: LogLine[], seen: LogLine[]): string[] => mergeLog(read, seen).map((line) => line.message);

  it('adds what came in while the file was read, once', () => {
    expect(merged(lines('a', 'b'), lines('b', 'c'))).toEqual(['a', 'b', 'c']);
    expect(merged(lines('a', 'a'), lines('a', 'a', 'a'))).toEqual(['a', 'a', 'a']);
    expect(merged([], lines('a'))).toEqual(['a']);
  });
});
