import { describe, expect, it } from 'vitest';
import { formatRoute, parseRoute, type Route } from '../../../../renderer/stores/navigation.ts';

describe('routes', () => {
  it.each<Route>([
    { screen: 'library' },
    { screen: 'saved-report' },
    { screen: 'new', tab: 'model' },
    { screen: 'new', tab: 'recipe' },
    { screen: 'run', id: '20260304-102030-k7mq-model', tab: 'report' },
    { screen: 'run', id: 'a/b c%', tab: 'progress' },
    { screen: 'compare', before: 'a', after: 'b' },
  ])('reads back what it wrote: %o', (route) => {
    expect(parseRoute(formatRoute(route))).toEqual(route);
  });

  it.each(['', '#', '#/', '#/nowhere', '#/run', '#/compare/a', '#/%E0%A4%A'])('goes to the library for %o', (hash) => {
    expect(parseRoute(hash)).toEqual({ screen: 'library' });
  });
});
