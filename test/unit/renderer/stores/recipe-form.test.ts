import { describe, expect, it } from 'vitest';
import { passInfo } from '../../../../native-workers/passes/option-form.ts';
import { PRESETS } from '../../../../native-workers/passes/presets.ts';
import { PASSES } from '../../../../native-workers/passes/registry.ts';
import {
  matchingPreset,
  moveStep,
  newStep,
  parseRecipe,
  readSteps,
  stepsOf,
} from '../../../../renderer/stores/recipe-form.ts';

const passes = PASSES.map(passInfo);

describe('a recipe as a form', () => {
  it.each(PRESETS.map((preset) => [preset.name, preset] as const))('gives back the preset %s', (_, preset) => {
    const steps = stepsOf(preset, passes);
    if (!steps.ok) throw new Error(steps.problem);
    const read = readSteps(steps.value, passes);
    expect(read.problems).toEqual({});
    expect(read.steps).toEqual(preset.steps);
    expect(matchingPreset(read.steps, PRESETS)?.name).toBe(preset.name);
  });

  it.each(passes.map((pass) => [pass.id, pass] as const))('reads the defaults of %s as no options', (_, pass) => {
    expect(readSteps([newStep(pass)], passes)).toEqual({ steps: [{ pass: pass.id }], problems: {} });
  });

  it('is no preset any more when an option differs', () => {
    const [preset] = PRESETS;
    if (preset === undefined) throw new Error('There are no presets.');
    const changed = [...preset.steps, { pass: 'float16' }];
    expect(matchingPreset(changed, [preset])).toBeNull();
  });
});

describe('parseRecipe', () => {
  const recipe = (steps: unknown): string => JSON.stringify({ schema: 1, name: 'mine', steps });

  it('takes a recipe of passes that exist', () => {
    expect(parseRecipe(recipe([{ pass: 'clean' }]), passes)).toEqual({
      ok: true,
      value: { schema: 1, name: 'mine', steps: [{ pass: 'clean' }] },
    });
  });

  it.each([
    ['{', /not valid JSON/],
    [recipe([{ pass: 'clen' }]), /no pass “clen”/],
    [recipe([{ pass: 'clean', options: { speed: 9 } }]), /no option “speed”/],
    [recipe('clean'), /^steps: /],
    [JSON.stringify({ schema: 9, name: 'x', steps: [] }), /^schema: /],
  ])('says what is wrong with %s', (text, problem) => {
    expect(parseRecipe(text, passes)).toEqual({ ok: false, problem: expect.stringMatching(problem) });
  });
});

describe('moveStep', () => {
  const pass = passes[0];
  if (pass === undefined) throw new Error('There are no passes.');
  const steps = [newStep(pass), newStep(pass), newStep(pass)];
  const keys = (from: number, to: number): string[] => moveStep(steps, from, to).map((step) => step.key);
  const [a = '', b = '', c = ''] = steps.map((step) => step.key);

  it('moves both ways and keeps the rest in order', () => {
    expect(keys(0, 2)).toEqual([b, c, a]);
    expect(keys(2, 0)).toEqual([c, a, b]);
    expect(keys(1, 2)).toEqual([a, c, b]);
  });

  it('leaves the list when there is nowhere to go', () => {
    expect(moveStep(steps, 0, -1)).toBe(steps);
    expect(moveStep(steps, 2, 3)).toBe(steps);
    expect(moveStep(steps, 7, 0)).toBe(steps);
  });
});
