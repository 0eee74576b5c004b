import { describe, expect, it } from 'vitest';
import { findClassNumbering } from '../../../../native-workers/metrics/tasks/class-numbers.ts';
import type { ClassNumbers } from '../../../../native-workers/protocol/request.ts';

const ALL: readonly ClassNumbers[] = ['index', 'index-from-1', 'id', 'id-from-0'];
/** Three of COCO's categories, with gaps between their ids. */
const GAPS = [1, 3, 90];
const box = (at: number) => [at / 10, 0, at / 10 + 0.1, 0.1] as const;

/** One picture with an object of each class, and a detector that finds them and calls them by `called`. */
function numbering(
  called: readonly number[],
  { columns = null as number | null, numbers = null as ClassNumbers | null, usual = ALL, ids = GAPS } = {},
) {
  const boxes = ids.map((_, index) => ({ class: index, box: box(index) }));
  const detections = called.map((number, index) => ({ class: number, score: 0.9, box: box(index) }));
  return findClassNumbering(
    { ids, numbers },
    { seen: [{ label: { kind: 'boxes', boxes }, detections }], columns, usual },
  );
}

describe('findClassNumbering', () => {
  it.each([
    ['index', [0, 1, 2]],
    ['index-from-1', [1, 2, 3]],
    ['id', [1, 3, 90]],
    ['id-from-0', [0, 2, 89]],
  ] as const)('finds by the labelled objects that a list of detections numbers by %s', (expected, called) => {
    const { numbers, found, classOf } = numbering(called);
    expect([numbers, found]).toEqual([expected, { objects: 3, of: 3 }]);
    expect(called.map((number) => classOf.get(number))).toEqual([0, 1, 2]);
  });

  it.each([
    [3, 'index'],
    [4, 'index-from-1'],
    [91, 'id'],
    [90, 'id-from-0'],
  ] as const)('needs no objects where %d scores allow one way', (columns, expected) => {
    expect(numbering([7, 7, 7], { columns })).toMatchObject({ numbers: expected, found: null });
  });

  it('asks the objects where the number of scores allows several', () => {
    // Three classes with the largest id 4: four scores are those of a background and 3 classes, or of ids 1 to 4 less one.
    const ids = [1, 2, 4];
    expect(numbering([1, 2, 3], { columns: 4, ids }).numbers).toBe('index-from-1');
    expect(numbering([0, 1, 3], { columns: 4, ids }).numbers).toBe('id-from-0');
  });

  it('keeps to the usual way where nothing is found', () => {
    expect(numbering([50, 51, 52]).numbers).toBe('index');
    expect(numbering([50, 51, 52], { usual: ['id', 'index'] }).numbers).toBe('id');
  });

  it('does as the preprocessing says, whatever is found', () => {
    expect(numbering([0, 1, 2], { numbers: 'id' })).toMatchObject({ numbers: 'id', found: null });
  });

  it('calls ways that give the same numbers one', () => {
    expect(numbering([9, 9, 9], { ids: [1, 2, 3], columns: 4 })).toMatchObject({
      numbers: 'index-from-1',
      found: null,
    });
  });
});
