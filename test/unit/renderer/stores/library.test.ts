import { describe, expect, it } from 'vitest';
import { previousRun, type SortColumn, sortRuns } from '../../../../renderer/stores/library.ts';
import { summary } from '../../../helpers/made-up-studio.ts';

describe('sortRuns', () => {
  const runs = [
    summary('a', { sizeBefore: 100, sizeAfter: 50, created: '2026-01-01T00:00:00Z' }),
    summary('b', { sizeBefore: 100, sizeAfter: null, created: '2026-01-03T00:00:00Z' }),
    summary('c', { sizeBefore: 100, sizeAfter: 25, created: '2026-01-02T00:00:00Z' }),
  ];
  const order = (column: SortColumn, descending: boolean): string =>
    sortRuns(runs, { column, descending })
      .map((run) => run.id)
      .join('');

  it('sorts by the factor, and what was not measured comes last either way', () => {
    expect(order('size', false)).toBe('cab');
    expect(order('size', true)).toBe('acb');
  });

  it('sorts by time', () => {
    expect(order('created', true)).toBe('bca');
  });
});

describe('previousRun', () => {
  const day = (date: number): string => `2026-01-0${date}T00:00:00Z`;
  const run = summary('now', { created: day(5) });

  it('is the newest earlier run of the same model that is done', () => {
    const runs = [
      run,
      summary('later', { created: day(6) }),
      summary('failed', { created: day(4), status: 'failed' }),
      summary('other', { created: day(4), modelSha256: 'b'.repeat(64) }),
      summary('older', { created: day(1) }),
      summary('before', { created: day(3) }),
    ];
    expect(previousRun(run, runs)?.id).toBe('before');
    expect(previousRun(run, [run])).toBeNull();
  });
});
