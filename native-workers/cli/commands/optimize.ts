/** `hone optimize MODEL`: a recipe, then evaluate, benchmark, report. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { checkTargets } from '../../artifacts/targets.ts';
import type { Workspace } from '../../host/workspace.ts';
import type { InspectFacts } from '../../protocol/facts.ts';
import type { RunRequest } from '../../protocol/request.ts';
import { type BenchmarkFlags, benchmarkOptions, withBenchmarkFlags } from '../benchmark-flags.ts';
import {
  type Cli,
  type CommandResult,
  type Context,
  names,
  notNegative,
  positive,
  positiveInteger,
  repeated,
  seed,
} from '../cli.ts';
import { dryRun } from '../dry-run.ts';
import { followRun, withWorkspace } from '../follow-run.ts';
import { existing, readPreprocess } from '../inputs.ts';
import { chooseRecipe, type RecipeFlags } from '../recipes.ts';
import { isTargetSetting, targetOptions } from '../target-options.ts';

interface Flags extends RecipeFlags, BenchmarkFlags {
  readonly calib?: string;
  readonly eval?: string;
  readonly preprocess?: string;
  readonly samples?: number;
  readonly seed: number;
  readonly out?: string;
  readonly maxDrop?: number;
  readonly maxMs?: number;
  readonly maxMb?: number;
  readonly target?: readonly string[];
  readonly dryRun?: boolean;
}

export function optimizeCommand(cli: Cli): Command {
  const command = cli
    .command('optimize', 'Make a model smaller and faster, and prove it in a report.')
    .argument('<model>', 'model file')
    .option('--recipe <file>', 'JSON file with the passes to apply')
    .option('--preset <name>', 'a recipe of Hone; see `hone passes`')
    .addOption(repeated('--set <pass.option=value>', 'an option of a pass or a target; may be given more than once'))
    .option('--calib <data>', 'data for calibration')
    .option('--eval <data>', 'labelled data for accuracy')
    .option('--preprocess <file>', 'JSON file that says how samples become inputs')
    .option('--samples <n>', 'most samples used of each data set', positiveInteger)
    .option('--seed <n>', 'seed of everything random', seed, 0)
    .option('--out <folder>', 'copy the results there too')
    .option('--max-drop <points>', 'fail when the metric drops by more percentage points', notNegative)
    .option('--max-ms <n>', 'fail when the median latency is above', positive)
    .option('--max-mb <n>', 'fail when the model is larger, in 10^6 bytes', positive)
    .option(
      '--target <names>',
      'also package the result for ort, tflite, coreml: one or more, with commas between',
      names,
    )
    .option('--dry-run', 'say what would be done and what it needs, and stop');
  return withBenchmarkFlags(command).action((model: string, flags: Flags) =>
    cli.run((context) => withWorkspace((workspace) => optimize(model, flags, workspace, context))),
  );
}

async function optimize(model: string, flags: Flags, workspace: Workspace, context: Context): Promise<CommandResult> {
  const path = await existing(model);
  // Asked for at most once: for the choice of a recipe, for a dry run, or for both.
  let inspected: Promise<InspectFacts> | undefined;
  const inspect = (): Promise<InspectFacts> => {
    inspected ??= workspace.supervisor
      .runJob(
        'inspect',
        { model: path },
        { signal: context.signal, onProgress: (progress) => context.progress('inspect', progress) },
      )
      .then(({ result }) => result);
    return inspected;
  };
  const settings = Map.groupBy(flags.set ?? [], isTargetSetting);
  const targets = checkTargets(flags.target ?? []);
  const ofTargets = targetOptions(settings.get(true) ?? [], targets);
  const { recipe, reason } = await chooseRecipe(
    { ...flags, set: settings.get(false) ?? [] },
    flags.calib !== undefined,
    inspect,
  );
  if (reason !== null)
    context.say(`recipe ${recipe.name}, because ${reason}; choose another with --preset or --recipe`);
  const request: RunRequest = {
    model: path,
    recipe,
    seed: flags.seed,
    benchmark: benchmarkOptions(flags),
    budgets: {
      ...(flags.maxDrop === undefined ? {} : { maxDrop: flags.maxDrop }),
      ...(flags.maxMs === undefined ? {} : { maxMs: flags.maxMs }),
      ...(flags.maxMb === undefined ? {} : { maxMb: flags.maxMb }),
    },
    ...(flags.calib === undefined ? {} : { calibration: await existing(flags.calib) }),
    ...(flags.eval === undefined ? {} : { evaluation: await existing(flags.eval) }),
    ...(flags.preprocess === undefined ? {} : { preprocess: await readPreprocess(flags.preprocess) }),
    ...(flags.samples === undefined ? {} : { samples: flags.samples }),
    ...(flags.out === undefined ? {} : { out: resolve(flags.out) }),
    ...(targets.length === 0 ? {} : { targets: [...targets] }),
    ...(Object.keys(ofTargets).length === 0 ? {} : { targetOptions: ofTargets }),
  };
  if (flags.dryRun === true) return dryRun(request, await inspect(), reason, workspace.folder);
  return followRun(await workspace.startRun(request), context);
}
