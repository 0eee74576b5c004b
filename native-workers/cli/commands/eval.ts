/** `hone eval MODEL`: the task's metric on labelled data, or how near a model is to another. */
import type { Command } from 'commander';
import { HoneError } from '../../protocol/errors.ts';
import type { FidelityFacts } from '../../protocol/facts.ts';
import type { JobResult } from '../../protocol/jobs.ts';
import { formatPlain, formatShare } from '../../report/format.ts';
import { type Cli, positiveInteger, seed } from '../cli.ts';
import { existing, readPreprocess } from '../inputs.ts';
import { runOneJob } from '../supervised.ts';
import { plain, table } from '../text.ts';

interface Flags {
  readonly data?: string;
  readonly against?: string;
  readonly preprocess?: string;
  readonly samples?: number;
  readonly seed: number;
}

const MOST_ROWS = 20;

export function evalCommand(cli: Cli): Command {
  return cli
    .command('eval', 'Measure the accuracy of a model on data, or its fidelity to another model.')
    .argument('<model>', 'model file')
    .option('--data <data>', 'folder, zip, .npz, .jsonl or .csv with labels')
    .option('--against <model>', 'the model to compare with')
    .option('--preprocess <file>', 'JSON file that says how samples become inputs')
    .option('--samples <n>', 'most samples used', positiveInteger)
    .option('--seed <n>', 'seed of random inputs and resampling', seed, 0)
    .action((model: string, flags: Flags) =>
      cli.run(async (context) => {
        if (flags.data === undefined && flags.against === undefined) {
          throw new HoneError('usage', 'There is nothing to measure: give --data, --against, or both.');
        }
        const result = await runOneJob(
          'evaluate',
          {
            model: await existing(model),
            ...(flags.against === undefined ? {} : { against: await existing(flags.against) }),
            ...(flags.data === undefined ? {} : { data: await existing(flags.data) }),
            ...(flags.preprocess === undefined ? {} : { preprocess: await readPreprocess(flags.preprocess) }),
            ...(flags.samples === undefined ? {} : { samples: flags.samples }),
            seed: flags.seed,
          },
          context,
        );
        return { json: result, text: evalText(result) };
      }),
    );
}

function evalText({ metrics, fidelity, flips, skipped }: JobResult<'evaluate'>): string {
  const parts: string[] = [];
  if (metrics.length > 0) {
    const rows = metrics.map(({ name, value, interval, samples }) => [
      name,
      formatPlain(value),
      `${formatPlain(interval.low)} to ${formatPlain(interval.high)}`,
      String(samples),
    ]);
    parts.push(
      table([{ title: 'metric' }, { title: 'value' }, { title: '95 % interval' }, { title: 'samples' }], rows),
    );
  }
  if (fidelity !== undefined && fidelity !== null) parts.push(fidelityText(fidelity as FidelityFacts));
  if (flips !== undefined) {
    const rows = flips.slice(0, MOST_ROWS).map((flip) => [plain(flip.sample), plain(flip.before), plain(flip.after)]);
    parts.push(`${flips.length} answers changed`);
    if (rows.length > 0) parts.push(table([{ title: 'sample' }, { title: 'before' }, { title: 'after' }], rows));
  }
  if (skipped.length > 0) {
    const lines = skipped.slice(0, MOST_ROWS).map(({ sample, reason }) => `- ${plain(sample)}: ${plain(reason)}`);
    parts.push(`${skipped.length} samples could not be read\n${lines.join('\n')}`);
  }
  return parts.join('\n\n');
}

function fidelityText(fidelity: FidelityFacts): string {
  const number = (value: number | null): string => (value === null ? '-' : formatPlain(value));
  const rows = fidelity.outputs.map((output) => [
    plain(output.name),
    number(output.cosine),
    number(output.sqnrDb),
    number(output.maxAbs),
    output.top1Agreement === null ? '-' : formatShare(output.top1Agreement),
  ]);
  const inputs = fidelity.inputs === 'user' ? 'given inputs' : 'random inputs, which are not like real ones';
  const columns = ['output', 'cosine', 'SQNR dB', 'max error', 'same answer'].map((title) => ({ title }));
  return `fidelity on ${fidelity.samples} ${inputs}\n${table(columns, rows)}`;
}
