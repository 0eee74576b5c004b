/** `hone pack MODEL`: artifacts for devices, each run on its own runtime. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { checkTargets } from '../../artifacts/targets.ts';
import { type Cli, names, positive, positiveInteger, repeated, seed } from '../cli.ts';
import { existing, readPreprocess } from '../inputs.ts';
import { packSucceeded, packText } from '../pack-text.ts';
import { runOneJob } from '../supervised.ts';
import { targetHelp, targetOptions } from '../target-options.ts';

interface Flags {
  readonly target: readonly string[];
  readonly out: string;
  readonly coverage?: boolean;
  readonly zip?: boolean;
  readonly data?: string;
  readonly preprocess?: string;
  readonly set?: readonly string[];
  readonly maxMb?: number;
  readonly with?: readonly string[];
  readonly samples?: number;
  readonly seed: number;
}

export function packCommand(cli: Cli): Command {
  return cli
    .command('pack', 'Make artifacts for phones and boards, and run each on its own runtime.')
    .argument('<model>', 'model file')
    .requiredOption('--target <names>', 'ort, tflite, coreml: one or more, with commas between', names)
    .option('--out <folder>', 'where to put them, a folder each', 'package')
    .option('--coverage', 'only say what each target can express; write nothing')
    .option('--zip', 'also make a zip of each folder')
    .addOption(repeated('--with <model>', 'a further model for the same package; may be repeated'))
    .option(
      '--data <data>',
      'samples to check the artifacts on, besides made-up ones; with labels, the metric is measured',
    )
    .option('--samples <n>', 'most labelled samples that the metric is measured on', positiveInteger)
    .option('--preprocess <file>', 'JSON file that says how samples become inputs')
    .addOption(repeated('--set <target.option=value>', 'an option of a target; may be repeated'))
    .option('--max-mb <n>', 'largest size of an artifact, in 10^6 bytes', positive)
    .option('--seed <n>', 'seed of the made-up inputs', seed, 0)
    .addHelpText('after', targetHelp())
    .action((model: string, flags: Flags) =>
      cli.run(async (context) => {
        const result = await runOneJob(
          'package',
          {
            model: await existing(model),
            ...(flags.with === undefined ? {} : { with: await Promise.all(flags.with.map(existing)) }),
            targets: [...checkTargets(flags.target)],
            out: resolve(flags.out),
            coverageOnly: flags.coverage ?? false,
            zip: flags.zip ?? false,
            ...(flags.data === undefined ? {} : { data: await existing(flags.data) }),
            ...(flags.preprocess === undefined ? {} : { preprocess: await readPreprocess(flags.preprocess) }),
            options: targetOptions(flags.set ?? [], flags.target),
            ...(flags.samples === undefined ? {} : { samples: flags.samples }),
            ...(flags.maxMb === undefined ? {} : { budget: flags.maxMb * 1e6 }),
            seed: flags.seed,
          },
          context,
        );
        return { json: result, text: packText(result), exitCode: packSucceeded(result) ? 0 : 1 };
      }),
    );
}
