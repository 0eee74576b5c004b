/** The run that the user is preparing: the model, the recipe, the data and what is measured. Nothing of it is saved until it runs. */
import { create } from 'zustand';
import { type ErrorData, toHoneError } from '../../native-workers/protocol/errors.ts';
import type { InspectFacts } from '../../native-workers/protocol/facts.ts';
import type { Recipe } from '../../native-workers/protocol/recipe.ts';
import type { Grant } from '../../native-workers/protocol/studio.ts';
import { forgetCoverage } from './coverage.ts';
import type { RawValue } from './option-values.ts';
import { type EditedStep, matchingPreset, moveStep, newStep, readSteps, stepsOf } from './recipe-form.ts';
import {
  EMPTY_RUN_FORM,
  type Known,
  type RecipeName,
  type RunForm,
  type RunRequestParams,
  readRun,
  requestFields,
} from './run-form.ts';
import { studio, useSession } from './session.ts';

export interface Draft {
  readonly model: Grant | null;
  readonly facts: InspectFacts | null;
  readonly inspectError: ErrorData | null;
  /** While the file travels to the browser host. */
  readonly upload: { readonly done: number; readonly total: number } | null;
  readonly recipe: RecipeName;
  readonly steps: readonly EditedStep[];
  readonly form: RunForm;
  readonly starting: boolean;
}

const NOTHING_KNOWN: Known = { passes: [], targets: [] };
const CUSTOM: RecipeName = { name: 'custom' };

export const useDraft = create<Draft>(() => ({
  model: null,
  facts: null,
  inspectError: null,
  upload: null,
  recipe: CUSTOM,
  steps: [],
  form: EMPTY_RUN_FORM,
  starting: false,
}));

/** Takes the model and looks at it; the recipe stays. The first preset is chosen when there is no recipe yet. */
export async function takeModel(model: Grant): Promise<void> {
  useDraft.setState({ model, facts: null, inspectError: null });
  const [first] = hello().presets;
  if (useDraft.getState().steps.length === 0 && first !== undefined) takeRecipe(first);
  await inspectModel();
}

export async function inspectModel(): Promise<void> {
  const { model } = useDraft.getState();
  if (model === null) return;
  useDraft.setState({ facts: null, inspectError: null });
  try {
    const facts = await studio().call('inspect', { model: model.id });
    if (useDraft.getState().model?.id === model.id) useDraft.setState({ facts });
  } catch (error) {
    if (useDraft.getState().model?.id === model.id) useDraft.setState({ inspectError: toHoneError(error).toData() });
  }
}

export function setUpload(upload: Draft['upload']): void {
  useDraft.setState({ upload });
}

/** Returns what is wrong with the recipe, or null when it was taken. */
export function takeRecipe(recipe: Recipe): string | null {
  const steps = stepsOf(recipe, hello().passes);
  if (!steps.ok) return steps.problem;
  useDraft.setState({
    steps: steps.value,
    recipe: { name: recipe.name, title: recipe.title, summary: recipe.summary },
  });
  return null;
}

/**
 * Prepares another run like an earlier one: its recipe or another one, its seed, model and data, as far as the files are still
 * there. Returns what is wrong with the recipe, or null.
 */
export async function repeatRun(id: string, recipe?: Recipe): Promise<string | null> {
  const [manifest, grants] = await Promise.all([
    studio().call('runs.manifest', { id }),
    studio().call('runs.grants', { id }),
  ]);
  const problem = takeRecipe(recipe ?? manifest.recipe);
  if (problem !== null) return problem;
  useDraft.setState(({ form }) => ({
    form: {
      ...form,
      ...requestFields(manifest.request, hello().targets),
      seed: String(manifest.seed),
      calibration: grants.calibration ?? form.calibration,
      evaluation: grants.evaluation ?? form.evaluation,
    },
  }));
  if (grants.model !== null) await takeModel(grants.model);
  return null;
}

export function addStep(id: string): void {
  const pass = hello().passes.find((candidate) => candidate.id === id);
  if (pass !== undefined) editSteps((steps) => [...steps, newStep(pass)]);
}

export function removeStep(key: string): void {
  editSteps((steps) => steps.filter((step) => step.key !== key));
}

export function reorderStep(from: number, to: number): void {
  editSteps((steps) => moveStep(steps, from, to));
}

export function setOption(key: string, name: string, value: RawValue): void {
  editSteps((steps) =>
    steps.map((step) => (step.key === key ? { ...step, values: { ...step.values, [name]: value } } : step)),
  );
}

export function resetStep(key: string): void {
  editSteps((steps) =>
    steps.map((step) => {
      const pass = hello().passes.find((candidate) => candidate.id === step.pass);
      return step.key === key && pass !== undefined ? { ...newStep(pass), key } : step;
    }),
  );
}

/** What is known of the coverage of a target with other options is worth nothing. */
export function setTargetOption(target: string, name: string, value: RawValue): void {
  useDraft.setState(({ form }) => ({
    form: {
      ...form,
      targetValues: { ...form.targetValues, [target]: { ...form.targetValues[target], [name]: value } },
    },
  }));
  forgetCoverage(target);
}

export function resetTarget(target: string): void {
  useDraft.setState(({ form }) => ({ form: { ...form, targetValues: { ...form.targetValues, [target]: {} } } }));
  forgetCoverage(target);
}

export function setField<Name extends keyof RunForm>(name: Name, value: RunForm[Name]): void {
  useDraft.setState(({ form }) => ({ form: { ...form, [name]: value } }));
}

export function setFields(fields: Partial<RunForm>): void {
  useDraft.setState(({ form }) => ({ form: { ...form, ...fields } }));
}

/** Starts the run and returns its id. The caller has made sure that the request is whole. */
export async function startRun(request: RunRequestParams): Promise<string> {
  useDraft.setState({ starting: true });
  try {
    return (await studio().call('runs.start', request)).id;
  } finally {
    useDraft.setState({ starting: false });
  }
}

/** The request that the draft stands for, or what is wrong with it. */
export function readDraft(draft: Draft, known: Known | null): ReturnType<typeof readRun> {
  return readRun(draft.model, draft.recipe, draft.steps, draft.form, known ?? NOTHING_KNOWN);
}

/** An edited recipe carries a preset's name only while it is that preset. */
function editSteps(edit: (steps: readonly EditedStep[]) => readonly EditedStep[]): void {
  useDraft.setState(({ steps: before }) => {
    const steps = edit(before);
    const preset = matchingPreset(readSteps(steps, hello().passes).steps, hello().presets);
    return { steps, recipe: preset ?? CUSTOM };
  });
}

function hello() {
  return useSession.getState().hello ?? { ...NOTHING_KNOWN, presets: [] };
}
