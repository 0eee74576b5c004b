import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { optionForms } from '../../../native-workers/passes/option-form.ts';
import { completeOptions } from '../../../native-workers/passes/options.ts';
import { findPreset, PRESETS } from '../../../native-workers/passes/presets.ts';
import { findPass, PASSES } from '../../../native-workers/passes/registry.ts';
import { recipeSchema } from '../../../native-workers/protocol/recipe.ts';
import { ROOT } from '../../helpers/sources.ts';

const FOLDER = join(ROOT, 'native-workers', 'passes');

describe('passes', () => {
  it('are all registered, each in a file of its name', () => {
    const defined = readdirSync(FOLDER).filter(
      (file) => file.endsWith('.ts') && /= definePass\b/.test(readFileSync(join(FOLDER, file), 'utf8')),
    );
    expect(PASSES.map(({ id }) => `${id}.ts`).sort()).toEqual(defined.sort());
  });

  it.each(PASSES.map((pass) => [pass.id, pass] as const))(
    '%s has a test, a described schema and valid defaults',
    (id, pass) => {
      expect(readdirSync(join(ROOT, 'test', 'unit', 'passes'))).toContain(`${id}.test.ts`);
      expect(completeOptions(pass)).toEqual(pass.defaults);
      for (const option of optionForms(pass)) {
        expect(option.description, `${id}.${option.name}`).toMatch(/\S.*\.$/);
        expect(Object.keys(pass.defaults)).toContain(option.name);
      }
      expect(optionForms(pass).length).toBe(Object.keys(pass.defaults).length);
      expect(pass.summary).toMatch(/^[A-Z].*\.$/);
    },
  );

  it('are found by id, and unknown ones refused', () => {
    expect(findPass('clean').title).toBe('Clean up');
    expect(() => findPass('cleen')).toThrow(expect.objectContaining({ code: 'unknown-pass' }));
  });
});

describe('presets', () => {
  it.each(PRESETS.map((preset) => [preset.name, preset] as const))(
    '%s is a recipe of known passes and options',
    (_name, preset) => {
      expect(recipeSchema.parse(preset)).toEqual(preset);
      for (const { pass, options } of preset.steps) completeOptions(findPass(pass), options);
    },
  );

  it('have names of their own, and unknown ones are refused', () => {
    expect(new Set(PRESETS.map(({ name }) => name)).size).toBe(PRESETS.length);
    expect(findPreset('int8-dynamic').steps.map(({ pass }) => pass)).toContain('quantize-dynamic');
    expect(() => findPreset('int9')).toThrow(expect.objectContaining({ code: 'unknown-preset' }));
  });
});
