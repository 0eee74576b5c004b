/** How to do the run again: the command, the files it names, and the whole request. */
import { z } from 'zod';
import { recipeSchema } from '../../protocol/recipe.ts';
import { type Preprocess, type RunRequest, runRequestSchema } from '../../protocol/request.ts';
import { measured } from '../outcome.ts';
import { defineSection } from '../section.ts';

export const reproduceSchema = z.strictObject({
  /** For a POSIX shell, in a folder with the files below. */
  command: z.string(),
  /** What the command names besides the model and data: `recipe.json`, `preprocess.json`. */
  files: z.array(z.strictObject({ name: z.string(), content: z.unknown() })),
  recipe: recipeSchema,
  seed: z.number(),
  request: z.record(z.string(), z.unknown()),
});
export type ReproduceSection = z.infer<typeof reproduceSchema>;

export const reproduce = defineSection(reproduceSchema, ({ manifest }) => {
  // The manifest keeps these three beside the request, not in it.
  const { source, recipe, seed } = manifest;
  const parsed = runRequestSchema.safeParse({ ...manifest.request, model: source.path, recipe, seed });
  const request = parsed.success ? parsed.data : null;
  const benchmark = request?.benchmark ?? {};
  const budgets = request?.budgets ?? {};
  const preprocess: Preprocess | undefined = request?.preprocess;
  const flags: [string, string | number | boolean | undefined][] = [
    ['--recipe', 'recipe.json'],
    ['--calib', request?.calibration],
    ['--eval', request?.evaluation],
    ['--preprocess', preprocess === undefined ? undefined : 'preprocess.json'],
    ['--samples', request?.samples],
    ['--seed', manifest.seed],
    ['--provider', benchmark.provider?.join(',')],
    ['--threads', benchmark.threads?.join(',')],
    ['--batch', benchmark.batch?.join(',')],
    ['--seconds', benchmark.seconds],
    ['--profile', benchmark.profile],
    ['--max-drop', budgets.maxDrop],
    ['--max-ms', budgets.maxMs],
    ['--max-mb', budgets.maxMb],
    ['--target', request?.targets?.join(',')],
    ...settingsOf(request?.targetOptions ?? {}),
  ];
  const words = flags.flatMap(([flag, value]) => {
    if (value === undefined || value === false) return [];
    return value === true ? [flag] : [flag, quote(String(value))];
  });
  return measured({
    command: ['hone', 'optimize', quote(manifest.source.path), ...words].join(' '),
    files: [
      { name: 'recipe.json', content: manifest.recipe },
      ...(preprocess === undefined ? [] : [{ name: 'preprocess.json', content: preprocess }]),
    ],
    recipe: manifest.recipe,
    seed: manifest.seed,
    request: manifest.request,
  });
});

/** Options of targets as `--set` takes them; a list as JSON, in which an item may have a comma. */
function settingsOf(options: NonNullable<RunRequest['targetOptions']>): [string, string][] {
  return Object.entries(options).flatMap(([target, values]) =>
    Object.entries(values).map(([name, value]): [string, string] => [
      '--set',
      `${target}.${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
    ]),
  );
}

/** As one word of a POSIX shell; a leading dash must not look like a flag. */
function quote(word: string): string {
  const safe = word.startsWith('-') ? `./${word}` : word;
  return /^[\w@%+=:,./-]+$/.test(safe) ? safe : `'${safe.replaceAll("'", "'\\''")}'`;
}
