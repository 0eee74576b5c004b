/** `hone pack MODEL`: artifacts for devices, each run on its own runtime. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { HoneError } from '../../protocol/errors.ts';
import type { Artifact } from '../../protocol/facts.ts';
import type { JobResult } from '../../protocol/jobs.ts';
import { formatBytes } from '../../report/format.ts';
import { type Cli, names, positive, repeated, seed } from '../cli.ts';
import { existing, readPreprocess } from '../inputs.ts';
import { runOneJob } from '../supervised.ts';
import { plain, table } from '../text.ts';

interface Flags {
  readonly target: readonly string[];
  readonly out: string;
  readonly coverage?: boolean;
  readonly zip?: boolean;
  readonly data?: string;
  readonly preprocess?: string;
  readonly set?: readonly string[];
  readonly maxMb?: number;
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
    .option('--data <data>', 'samples to check the artifacts on, besides made-up ones')
    .option('--preprocess <file>', 'JSON file that says how samples become inputs')
    .addOption(repeated('--set <target.option=value>', 'an option of a target; may be repeated'))
    .option('--max-mb <n>', 'largest size of an artifact, in 10^6 bytes', positive)
    .option('--seed <n>', 'seed of the made-up inputs', seed, 0)
    .action((model: string, flags: Flags) =>
      cli.run(async (context) => {
        const result = await runOneJob(
          'package',
          {
            model: await existing(model),
            targets: [...flags.target],
            out: resolve(flags.out),
            coverageOnly: flags.coverage ?? false,
            zip: flags.zip ?? false,
            ...(flags.data === undefined ? {} : { data: await existing(flags.data) }),
            ...(flags.preprocess === undefined ? {} : { preprocess: await readPreprocess(flags.preprocess) }),
            options: optionsOf(flags.set ?? []),
            ...(flags.maxMb === undefined ? {} : { budget: flags.maxMb * 1e6 }),
            seed: flags.seed,
          },
          context,
        );
        return { json: result, text: packText(result), exitCode: succeeded(result) ? 0 : 1 };
      }),
    );
}

/** `tflite.precision=float16` by target and option; values that are JSON are taken as such. */
function optionsOf(settings: readonly string[]): Record<string, Record<string, unknown>> {
  const options: Record<string, Record<string, unknown>> = {};
  for (const setting of settings) {
    const match = /^([\w-]+)\.([\w-]+)=(.*)$/s.exec(setting);
    if (match === null) throw new HoneError('usage', `--set takes target.option=value, not ${setting}.`);
    const [, target = '', option = '', text = ''] = match;
    options[target] = { ...options[target], [option]: parsed(text) };
  }
  return options;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** An artifact that was not made, failed its check or does not fit the user's own budget fails the command. */
function succeeded({ artifacts, sizes }: JobResult<'package'>): boolean {
  const checked = artifacts.every(
    ({ status, verified }) =>
      status === 'made' && (verified === null || verified.status === 'passed' || verified.status === 'not-run'),
  );
  return checked && sizes.every(({ profile, fits }) => profile !== 'your budget' || fits);
}

function packText({ artifacts, sizes }: JobResult<'package'>): string {
  const rows = artifacts.map((artifact) => [
    artifact.target,
    artifact.status,
    artifact.bytes === 0 ? '' : formatBytes(artifact.bytes),
    `${artifact.coverage.supported} of ${artifact.coverage.nodes}`,
    checkText(artifact),
    artifact.path,
  ]);
  const titles = ['target', 'status', 'size', 'nodes', 'check', 'path'].map((title) => ({ title }));
  const parts = [table(titles, rows)];
  for (const { target, coverage, error } of artifacts) {
    if (error !== undefined) parts.push(`${target}: ${plain(error.message)}`);
    for (const { node, type, reason } of coverage.unsupported.slice(0, 20))
      parts.push(`${target}: ${type} ${plain(node)}: ${plain(reason)}`);
  }
  const over = sizes.filter(({ fits }) => !fits);
  for (const { target, profile, budget } of over)
    parts.push(`${target} is larger than ${formatBytes(budget)} (${profile}).`);
  return parts.join('\n');
}

function checkText({ verified }: Artifact): string {
  if (verified === null) return 'not run';
  const { status, runtime, maxAbs, cosine } = verified;
  if (maxAbs === null || cosine === null) return `${status}: ${plain(verified.reason ?? runtime)}`;
  return `${status} on ${runtime}, largest difference ${maxAbs.toPrecision(2)}, cosine ${cosine.toFixed(5)}`;
}
