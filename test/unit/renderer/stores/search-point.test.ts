import { describe, expect, it } from 'vitest';
import type { OptimizeFacts, PassRow } from '../../../../native-workers/protocol/facts.ts';
import type { Recipe } from '../../../../native-workers/protocol/recipe.ts';
import { recipeOfPoint } from '../../../../renderer/stores/search-point.ts';

const row = (pass: string, details?: Record<string, unknown>): PassRow => ({
  pass,
  title: pass,
  options: {},
  lossy: false,
  status: 'changed',
  counts: {},
  notes: [],
  ms: 0,
  nodesBefore: 1,
  nodesAfter: 1,
  ...(details === undefined ? {} : { details }),
});

const facts = (passes: PassRow[]): OptimizeFacts => ({ passes, model: null, inspect: null, fusion: null });

const recipe: Recipe = {
  schema: 1,
  name: 'int8-auto',
  steps: [
    { pass: 'clean' },
    { pass: 'quantize-search', options: { method: 'mse', probes: 9, pairSafe: true, exclude: ['LSTM'] } },
  ],
};

describe('recipeOfPoint', () => {
  const passes = [row('clean'), row('quantize-search', { search: [{ float: [] }, { float: ['a', 'b'], ms: 1 }] })];

  it('puts the quantization of the point in the place of the search, with what both understand', () => {
    expect(recipeOfPoint(recipe, facts(passes), 1)).toMatchObject({
      title: 'INT8, 2 layers float',
      steps: [
        { pass: 'clean' },
        { pass: 'quantize-static', options: { method: 'mse', pairSafe: true, exclude: ['LSTM', 'a', 'b'] } },
      ],
    });
  });

  it('counts the points of all searches on', () => {
    const twice: Recipe = { ...recipe, steps: [...recipe.steps, { pass: 'quantize-search' }] };
    const found = recipeOfPoint(twice, facts([...passes, row('quantize-search', { search: [{ float: ['c'] }] })]), 2);
    expect(found?.steps.map(({ pass }) => pass)).toEqual(['clean', 'quantize-search', 'quantize-static']);
    expect(found?.steps[2]?.options).toEqual({ exclude: ['c'] });
  });

  it('has nothing for a point that is not there', () => {
    expect(recipeOfPoint(recipe, facts(passes), 2)).toBeNull();
    expect(recipeOfPoint(recipe, facts([]), 0)).toBeNull();
  });
});
