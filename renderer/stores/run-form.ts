/** What a run needs besides its model and recipe, as the form holds it, and the request that comes of it. */
import type { Recipe } from '../../native-workers/protocol/recipe.ts';
import {
  type BenchmarkOptions,
  type Budgets,
  CLASS_NUMBERS,
  type Preprocess,
  preprocessSchema,
  runRequestSchema,
} from '../../native-workers/protocol/request.ts';
import type { Grant, PassInfo, StudioParams, TargetInfo } from '../../native-workers/protocol/studio.ts';
import { PROBLEMS } from '../text/problems.ts';
import { type NumberBounds, type Reading, readNumber, readNumbers } from './option-values.ts';
import { type EditedStep, type Problems, readSteps } from './recipe-form.ts';
import { readTargets, type TargetValues, targetValues } from './target-form.ts';

/** Fields of text are as typed; empty means: leave it to Hone. */
export interface RunForm {
  readonly calibration: Grant | null;
  readonly evaluation: Grant | null;
  readonly samples: string;
  readonly seed: string;
  readonly height: string;
  readonly width: string;
  readonly resize: string;
  /** '', 'yes', 'no', or the share of the image that is kept. */
  readonly crop: string;
  readonly color: string;
  readonly scale: string;
  readonly mean: string;
  readonly std: string;
  readonly layout: string;
  readonly tokenizer: Grant | null;
  readonly maxLength: string;
  readonly sampleRate: string;
  readonly classNumbers: string;
  readonly provider: string;
  readonly threads: string;
  readonly batch: string;
  readonly seconds: string;
  readonly profile: boolean;
  readonly sustained: string;
  readonly maxDrop: string;
  readonly maxMs: string;
  readonly maxMb: string;
  /** Ids of the targets that packages are made for. */
  readonly targets: readonly string[];
  readonly targetValues: TargetValues;
}

/** What the engine said that there is. */
export interface Known {
  readonly passes: readonly PassInfo[];
  readonly targets: readonly TargetInfo[];
}

export const EMPTY_RUN_FORM: RunForm = {
  calibration: null,
  evaluation: null,
  samples: '',
  seed: '0',
  height: '',
  width: '',
  resize: '',
  crop: '',
  color: '',
  scale: '',
  mean: '',
  std: '',
  layout: '',
  tokenizer: null,
  maxLength: '',
  sampleRate: '',
  classNumbers: '',
  provider: '',
  threads: '',
  batch: '',
  seconds: '',
  profile: false,
  sustained: '',
  maxDrop: '',
  maxMs: '',
  maxMb: '',
  targets: [],
  targetValues: {},
};

/** The fields that a preprocessing description fills; the rest become empty. */
export function preprocessFields(preprocess: Preprocess): Partial<RunForm> {
  const { size, resize, crop, color, scale, mean, std, layout, maxLength, sampleRate, classNumbers } = preprocess;
  const text = (value: number | string | undefined): string => String(value ?? '');
  return {
    height: text(size?.[0]),
    width: text(size?.[1]),
    resize: text(resize),
    crop: typeof crop === 'boolean' ? (crop ? 'yes' : 'no') : text(crop),
    color: text(color),
    scale: text(scale),
    mean: mean?.join(', ') ?? '',
    std: std?.join(', ') ?? '',
    layout: text(layout),
    maxLength: text(maxLength),
    sampleRate: text(sampleRate),
    classNumbers: text(classNumbers),
  };
}

/** The fields that an earlier run's request fills; what is not understood is left as it is. Files come by grants. */
export function requestFields(
  request: Readonly<Record<string, unknown>>,
  known: readonly TargetInfo[],
): Partial<RunForm> {
  const parsed = runRequestSchema
    .pick({ preprocess: true, samples: true, benchmark: true, budgets: true, targets: true, targetOptions: true })
    .partial()
    .strip()
    .safeParse(request);
  if (!parsed.success) return {};
  const { preprocess, samples, benchmark = {}, budgets = {}, targets = [], targetOptions } = parsed.data;
  const text = (value: number | undefined): string => String(value ?? '');
  return {
    ...preprocessFields(preprocess ?? {}),
    targets,
    targetValues: targetValues(targetOptions, known),
    samples: text(samples),
    provider: benchmark.provider?.join(', ') ?? '',
    threads: benchmark.threads?.join(', ') ?? '',
    batch: benchmark.batch?.join(', ') ?? '',
    seconds: text(benchmark.seconds),
    profile: benchmark.profile ?? false,
    sustained: text(benchmark.sustained),
    maxDrop: text(budgets.maxDrop),
    maxMs: text(budgets.maxMs),
    maxMb: text(budgets.maxMb),
  };
}

/** Preprocessing from the text of a JSON file, as `--preprocess` takes it. */
export function parsePreprocess(text: string): Reading<Partial<RunForm>> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return { ok: false, problem: PROBLEMS.json(error instanceof Error ? error.message : String(error)) };
  }
  const parsed = preprocessSchema.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return { ok: false, problem: PROBLEMS.field(issue?.path.join('.') ?? '', issue?.message ?? '') };
  }
  return { ok: true, value: preprocessFields(parsed.data) };
}

export type RunRequestParams = StudioParams<'runs.start'>;

export interface ReadRun {
  /** null while there are problems. */
  readonly request: RunRequestParams | null;
  /** By field name, `step key.option` or `target.option`; `model` and `steps` for what is missing. */
  readonly problems: Problems;
}

export interface RecipeName {
  readonly name: string;
  readonly title?: string | undefined;
  readonly summary?: string | undefined;
}

/** The request of a run, or all that stands in its way. */
export function readRun(
  model: Grant | null,
  named: RecipeName,
  edited: readonly EditedStep[],
  form: RunForm,
  known: Known,
): ReadRun {
  const { steps, problems: stepProblems } = readSteps(edited, known.passes);
  const problems: Record<string, string> = { ...stepProblems };
  if (model === null) problems['model'] = PROBLEMS.noModel;
  if (steps.length === 0) problems['steps'] = PROBLEMS.noSteps;
  const seed = take(problems, 'seed', readNumber(form.seed, { integer: true, minimum: 0 }));
  const samples = number(problems, form, 'samples', COUNT);
  const preprocess = readPreprocess(form, problems);
  const benchmark = readBenchmark(form, problems);
  const budgets = readBudgets(form, problems);
  const targets = readTargets(form.targets, form.targetValues, known.targets, problems);
  if (model === null || seed === undefined || Object.keys(problems).length > 0) return { request: null, problems };
  return {
    problems,
    request: {
      model: model.id,
      recipe: recipeOf(named, steps),
      ...given('calibration', form.calibration?.id),
      ...given('evaluation', form.evaluation?.id),
      ...(Object.keys(preprocess).length === 0 ? {} : { preprocess }),
      ...given('samples', samples),
      seed,
      benchmark,
      budgets,
      ...targets,
    },
  };
}

export function recipeOf(named: RecipeName, steps: Recipe['steps']): Recipe {
  return {
    schema: 1,
    name: named.name,
    ...given('title', named.title),
    ...given('summary', named.summary),
    steps,
  };
}

/** The preprocessing that the form stands for alone; null while a field of it has a problem. */
export function preprocessOf(form: RunForm): Preprocess | null {
  const problems: Record<string, string> = {};
  const preprocess = readPreprocess(form, problems);
  return Object.keys(problems).length === 0 ? preprocess : null;
}

const COUNT: NumberBounds = { integer: true, minimum: 1 };
const POSITIVE: NumberBounds = { positive: true };
const NOT_NEGATIVE: NumberBounds = { minimum: 0 };

function readPreprocess(form: RunForm, problems: Record<string, string>): Preprocess {
  const height = number(problems, form, 'height', COUNT);
  const width = number(problems, form, 'width', COUNT);
  if ((form.height.trim() === '') !== (form.width.trim() === '')) problems['height'] = PROBLEMS.pair;
  return {
    ...given('size', height === undefined || width === undefined ? undefined : ([height, width] as [number, number])),
    ...given('resize', oneOf(['shorter', 'stretch', 'fit'] as const, form.resize)),
    ...given('crop', readCrop(form, problems)),
    ...given('color', oneOf(['rgb', 'bgr', 'gray'] as const, form.color)),
    ...given('scale', number(problems, form, 'scale', {})),
    ...given('mean', numbers(problems, form, 'mean', {})),
    ...given('std', numbers(problems, form, 'std', POSITIVE)),
    ...given('layout', oneOf(['nchw', 'nhwc'] as const, form.layout)),
    ...given('tokenizer', form.tokenizer?.id),
    ...given('maxLength', number(problems, form, 'maxLength', COUNT)),
    ...given('sampleRate', number(problems, form, 'sampleRate', COUNT)),
    ...given('classNumbers', oneOf(CLASS_NUMBERS, form.classNumbers)),
  };
}

function readCrop(form: RunForm, problems: Record<string, string>): boolean | number | undefined {
  const text = form.crop.trim();
  if (text === '') return undefined;
  if (text === 'yes' || text === 'no') return text === 'yes';
  return take(problems, 'crop', readNumber(text, { ...POSITIVE, maximum: 1 }));
}

function readBenchmark(form: RunForm, problems: Record<string, string>): BenchmarkOptions {
  const providers = form.provider.split(/[\s,]+/).filter((name) => name !== '');
  return {
    ...(providers.length === 0 ? {} : { provider: providers }),
    ...given('threads', numbers(problems, form, 'threads', COUNT)),
    ...given('batch', numbers(problems, form, 'batch', COUNT)),
    ...given('seconds', number(problems, form, 'seconds', POSITIVE)),
    ...(form.profile ? { profile: true } : {}),
    ...given('sustained', number(problems, form, 'sustained', POSITIVE)),
  };
}

function readBudgets(form: RunForm, problems: Record<string, string>): Budgets {
  return {
    ...given('maxDrop', number(problems, form, 'maxDrop', NOT_NEGATIVE)),
    ...given('maxMs', number(problems, form, 'maxMs', POSITIVE)),
    ...given('maxMb', number(problems, form, 'maxMb', POSITIVE)),
  };
}

type TextField = { [Name in keyof RunForm]: RunForm[Name] extends string ? Name : never }[keyof RunForm];

function number(problems: Record<string, string>, form: RunForm, field: TextField, bounds: NumberBounds) {
  return form[field].trim() === '' ? undefined : take(problems, field, readNumber(form[field], bounds));
}

function numbers(problems: Record<string, string>, form: RunForm, field: TextField, bounds: NumberBounds) {
  return take(problems, field, readNumbers(form[field], bounds)) ?? undefined;
}

/** The value of a reading, or undefined with its problem noted on the field. */
function take<Value>(problems: Record<string, string>, field: string, reading: Reading<Value>): Value | undefined {
  if (reading.ok) return reading.value;
  problems[field] = reading.problem;
  return undefined;
}

function oneOf<Choice extends string>(choices: readonly Choice[], text: string): Choice | undefined {
  return choices.find((choice) => choice === text);
}

/** An optional field: present only when it has a value. */
function given<Name extends string, Value>(name: Name, value: Value | undefined): { [Key in Name]?: Value } {
  // A computed key widens to `string`: TypeScript cannot see that it is `Name`.
  return value === undefined ? {} : ({ [name]: value } as { [Key in Name]?: Value });
}
