/** `hone bench MODEL…`: how long models take, measured in turns so that they can be compared. */
import type { Command } from 'commander';
import { HoneError } from '../../protocol/errors.ts';
import type { Verdict } from '../../report/document.ts';
import { formatBytes, formatPlain } from '../../report/format.ts';
import { type BenchDocument, benchDocument } from '../bench-document.ts';
import { type BenchmarkFlags, benchmarkOptions, withBenchmarkFlags } from '../benchmark-flags.ts';
import { type Cli, type Context, positive, seed } from '../cli.ts';
import { existing, readPreprocess } from '../inputs.ts';
import { runOneJob } from '../supervised.ts';
import { duration, plain, table } from '../text.ts';

interface Flags extends BenchmarkFlags {
  readonly data?: string;
  readonly preprocess?: string;
  readonly seed: number;
}

export function benchCommand(cli: Cli): Command {
  const command = cli
    .command('bench', 'Measure how long models take, in turns, and compare them.')
    .argument('<model...>', 'model files');
  return withBenchmarkFlags(command)
    .option('--data <data>', 'inputs to run on; random ones unless given')
    .option('--preprocess <file>', 'JSON file that says how samples become inputs')
    .option('--sustained <minutes>', 'then run for minutes, to see what heat does', positive)
    .option('--seed <n>', 'seed of the order of blocks and of random inputs', seed, 0)
    .action((models: string[], flags: Flags) =>
      cli.run(async (context) => {
        const facts = await runOneJob(
          'benchmark',
          {
            models: await Promise.all(models.map(existing)),
            options: benchmarkOptions(flags),
            ...(flags.data === undefined ? {} : { data: await existing(flags.data) }),
            ...(flags.preprocess === undefined ? {} : { preprocess: await readPreprocess(flags.preprocess) }),
            seed: flags.seed,
          },
          context,
        );
        const document = benchDocument(facts);
        const failure = await failureOf(document, context);
        if (failure !== null) throw failure;
        return { json: document, text: benchText(document) };
      }),
    );
}

/**
 * A provider that is not here is a row; a model of which no variant ran is an error. What is wrong with the model is better
 * told by reading it than by the runtime that refused it.
 */
async function failureOf({ variants }: BenchDocument, context: Context): Promise<HoneError | null> {
  for (const model of new Set(variants.map((variant) => variant.model))) {
    const own = variants.filter((variant) => variant.model === model);
    const error = own.find((variant) => variant.error !== undefined)?.error;
    if (error === undefined || own.some((variant) => variant.stats !== null)) continue;
    await runOneJob('inspect', { model }, context);
    return HoneError.fromData(error);
  }
  return null;
}

export function benchText({ variants, comparisons, environment }: BenchDocument): string {
  const rows = variants.map(({ id, label, batch, stats, coldStart, peakRss, error }) => [
    id,
    plain(label),
    `batch ${batch}`,
    ...(stats === null
      ? [error?.code ?? 'not run', '', '']
      : [duration(stats.p50), duration(stats.p99), String(stats.count)]),
    coldStart === null ? '' : duration(coldStart.load + coldStart.create + coldStart.firstRun),
    peakRss === null ? '' : formatBytes(peakRss),
  ]);
  const titles = ['', 'variant', '', 'p50', 'p99', 'runs', 'cold start', 'peak memory'];
  const parts = [
    table(
      titles.map((title, index) => ({ title, align: index < 3 ? ('left' as const) : ('right' as const) })),
      rows,
    ),
  ];
  if (comparisons.length > 0) {
    parts.push(comparisons.map(({ a, b, ratio }) => `${b} against ${a}: ${verdictText(ratio)}`).join('\n'));
  }
  parts.push(`${environment.cpu}, ${environment.cores} cores, ${environment.engine}`);
  return parts.join('\n\n');
}

/** `0.61 times the time (95 % interval 0.59 to 0.63): faster`. */
export function verdictText({ value, low, high, confidence, verdict, moreRuns }: Verdict): string {
  const interval = `${Math.round(confidence * 100)} % interval ${formatPlain(low)} to ${formatPlain(high)}`;
  const more = moreRuns === undefined ? '' : `, about ${moreRuns} more runs would settle it`;
  return `${formatPlain(value)} times the time (${interval}): ${verdict}${more}`;
}
