import { expect, it } from 'vitest';
import { groupUnsupported } from '../../../../renderer/stores/coverage.ts';

it('groups what a target cannot express by operator and reason, most frequent first', () => {
  const node = (name: string, type: string, reason: string) => ({ node: name, type, reason });
  expect(
    groupUnsupported([
      node('a', 'TopK', 'one'),
      node('b', 'Loop', 'two'),
      node('c', 'Loop', 'two'),
      node('d', 'TopK', 'other'),
    ]),
  ).toEqual([
    { type: 'Loop', reason: 'two', nodes: ['b', 'c'] },
    { type: 'TopK', reason: 'one', nodes: ['a'] },
    { type: 'TopK', reason: 'other', nodes: ['d'] },
  ]);
});
