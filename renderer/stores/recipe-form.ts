/** A recipe as the form edits it, and back. Only options that differ from the defaults of a pass are kept in the recipe. */
import { type Recipe, recipeSchema } from '../../native-workers/protocol/recipe.ts';
import type { OptionForm, PassInfo } from '../../native-workers/protocol/studio.ts';
import { PROBLEMS } from '../text/problems.ts';
import { type RawValue, type Reading, rawOf, readOption } from './option-values.ts';

export interface EditedStep {
  /** Stays with the step while it moves, for the list on the screen. */
  readonly key: string;
  readonly pass: string;
  readonly values: Readonly<Record<string, RawValue>>;
}

let nextKey = 1;

export function newStep(pass: PassInfo, options: Readonly<Record<string, unknown>> = {}): EditedStep {
  const values = pass.options.map((form) => [form.name, rawOf(form, options[form.name] ?? form.default)] as const);
  return { key: `step-${nextKey++}`, pass: pass.id, values: Object.fromEntries(values) };
}

/** Steps that name passes and options which exist; else the first thing that is wrong. */
export function stepsOf(recipe: Recipe, passes: readonly PassInfo[]): Reading<EditedStep[]> {
  const steps: EditedStep[] = [];
  for (const { pass: id, options = {} } of recipe.steps) {
    const pass = passes.find((candidate) => candidate.id === id);
    if (pass === undefined) return { ok: false, problem: PROBLEMS.unknownPass(id) };
    const unknown = Object.keys(options).find((name) => !pass.options.some((form) => form.name === name));
    if (unknown !== undefined) return { ok: false, problem: PROBLEMS.unknownOption(id, unknown) };
    steps.push(newStep(pass, options));
  }
  return { ok: true, value: steps };
}

/** Problems by `step key.option`, for the fields. */
export type Problems = Readonly<Record<string, string>>;

export interface ReadSteps {
  readonly steps: Recipe['steps'];
  readonly problems: Problems;
}

export function readSteps(edited: readonly EditedStep[], passes: readonly PassInfo[]): ReadSteps {
  const problems: Record<string, string> = {};
  const steps = edited.map((step) => {
    const forms = passes.find((pass) => pass.id === step.pass)?.options ?? [];
    const options = readOptions(forms, step.values, step.key, problems);
    return { pass: step.pass, ...(Object.keys(options).length === 0 ? {} : { options }) };
  });
  return { steps, problems };
}

/** The options that differ from their defaults; what is wrong goes into `problems` by `key.option`. */
export function readOptions(
  forms: readonly OptionForm[],
  values: Readonly<Record<string, RawValue>>,
  key: string,
  problems: Record<string, string>,
): Record<string, unknown> {
  const options: Record<string, unknown> = {};
  for (const form of forms) {
    const reading = readOption(form, values[form.name] ?? rawOf(form, form.default));
    if (!reading.ok) problems[`${key}.${form.name}`] = reading.problem;
    else if (!sameValue(reading.value, form.default)) options[form.name] = reading.value;
  }
  return options;
}

/** True when the step says what its pass does without being told. */
export function isDefault(form: OptionForm, raw: RawValue): boolean {
  const reading = readOption(form, raw);
  return reading.ok && sameValue(reading.value, form.default);
}

/** A recipe from JSON text: valid, and of passes that exist. */
export function parseRecipe(text: string, passes: readonly PassInfo[]): Reading<Recipe> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return { ok: false, problem: PROBLEMS.json(error instanceof Error ? error.message : String(error)) };
  }
  const parsed = recipeSchema.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return { ok: false, problem: PROBLEMS.field(issue?.path.join('.') ?? '', issue?.message ?? '') };
  }
  const steps = stepsOf(parsed.data, passes);
  return steps.ok ? { ok: true, value: parsed.data } : steps;
}

/** Moves the step at `from` to `to`; out of range leaves the list as it is. */
export function moveStep(steps: readonly EditedStep[], from: number, to: number): readonly EditedStep[] {
  const step = steps[from];
  if (step === undefined || to < 0 || to >= steps.length || from === to) return steps;
  const rest = steps.filter((_, index) => index !== from);
  return [...rest.slice(0, to), step, ...rest.slice(to)];
}

/** The preset whose steps are these, whatever the order of options; null when there is none. */
export function matchingPreset(steps: Recipe['steps'], presets: readonly Recipe[]): Recipe | null {
  return presets.find((preset) => sameValue(canonical(preset.steps), canonical(steps))) ?? null;
}

function canonical(steps: Recipe['steps']): unknown {
  return steps.map(({ pass, options = {} }) => [
    pass,
    Object.entries(options).sort(([left], [right]) => left.localeCompare(right)),
  ]);
}

const sameValue = (left: unknown, right: unknown): boolean => JSON.stringify(left) === JSON.stringify(right);
