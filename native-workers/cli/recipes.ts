/** The recipe of a run, from `--recipe`, `--preset` and `--set`, checked before any work starts. */
import { parseOption } from '../passes/option-form.ts';
import { completeOptions } from '../passes/options.ts';
import { findPreset } from '../passes/presets.ts';
import { recommendPreset } from '../passes/recommend.ts';
import { findPass } from '../passes/registry.ts';
import { HoneError } from '../protocol/errors.ts';
import type { InspectFacts } from '../protocol/facts.ts';
import type { Recipe } from '../protocol/recipe.ts';
import { readRecipe } from './inputs.ts';

export interface RecipeFlags {
  readonly recipe?: string;
  readonly preset?: string;
  readonly set?: readonly string[];
}

export interface ChosenRecipe {
  readonly recipe: Recipe;
  /** Why Hone chose it; null when the user did. */
  readonly reason: string | null;
}

/** `inspect` is asked only when the user named no recipe. Throws what is wrong with the flags, naming file, pass or option. */
export async function chooseRecipe(
  flags: RecipeFlags,
  hasCalibration: boolean,
  inspect: () => Promise<InspectFacts>,
): Promise<ChosenRecipe> {
  if (flags.recipe !== undefined && flags.preset !== undefined) {
    throw new HoneError('usage', 'Give --recipe or --preset, not both.');
  }
  let chosen: ChosenRecipe;
  if (flags.recipe !== undefined) chosen = { recipe: await readRecipe(flags.recipe), reason: null };
  else if (flags.preset !== undefined) chosen = { recipe: findPreset(flags.preset), reason: null };
  else {
    const { preset, reason } = recommendPreset(await inspect(), hasCalibration);
    chosen = { recipe: preset, reason };
  }
  return { ...chosen, recipe: checkRecipe(withSettings(chosen.recipe, flags.set ?? [])) };
}

/** A recipe whose passes exist and take its options. Throws `unknown-pass` or `invalid-options`. */
export function checkRecipe(recipe: Recipe): Recipe {
  for (const step of recipe.steps) completeOptions(findPass(step.pass), step.options);
  return recipe;
}

/** The parts of `quantize-dynamic.minimumWeights=4096` or `ort.style=runtime`. Throws `usage`. */
export function splitSetting(setting: string): { owner: string; name: string; text: string } {
  const [, owner, name, text] = /^([^.=]+)\.([^=]+)=(.*)$/s.exec(setting) ?? [];
  if (owner === undefined || name === undefined || text === undefined) {
    throw new HoneError('usage', `--set takes name.option=value, not ${setting}.`);
  }
  return { owner, name, text };
}

/** Settings such as `quantize-dynamic.minimumWeights=4096`, put into every step of that pass. */
export function withSettings(recipe: Recipe, settings: readonly string[]): Recipe {
  return settings.reduce(withSetting, recipe);
}

function withSetting(recipe: Recipe, setting: string): Recipe {
  const { owner: id, name, text } = splitSetting(setting);
  const value = parseOption(findPass(id), name, text);
  if (!recipe.steps.some((step) => step.pass === id)) {
    const passes = recipe.steps.map((step) => step.pass).join(', ') || 'none';
    throw new HoneError(
      'invalid-options',
      `--set ${setting}: the recipe ${recipe.name} has no pass ${id}; its passes: ${passes}.`,
    );
  }
  const steps = recipe.steps.map((step) =>
    step.pass === id ? { ...step, options: { ...step.options, [name]: value } } : step,
  );
  return { ...recipe, steps };
}
