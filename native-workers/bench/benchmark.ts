/** A whole benchmark: variants in turns, then what needs a process for itself (profile, sustained load), with the machine. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Feeds } from '../lib/engine.ts';
import { toHoneError } from '../protocol/errors.ts';
import type { BenchmarkFacts } from '../protocol/facts.ts';
import type { Progress } from '../protocol/messages.ts';
import type { BenchmarkOptions } from '../protocol/request.ts';
import { openEngine } from '../runtimes/onnxruntime.ts';
import { checkProviderName } from '../runtimes/providers.ts';
import { median } from './distribution.ts';
import { describeEnvironment } from './environment.ts';
import { type InterleaveOptions, interleave, openMessage, type VariantRecord } from './interleave.ts';
import { machineIndex } from './machine-index.ts';
import { DEFAULT_SECONDS, type ModelToRun, planVariants, type VariantPlan } from './plan.ts';
import { VariantClient } from './variant-client.ts';

export interface BenchmarkRequest {
  readonly models: readonly ModelToRun[];
  readonly options: BenchmarkOptions;
  readonly seed: number;
  /** The user's inputs for a variant; null for seeded ones made from each model's signature. */
  readonly feedsFor: ((plan: VariantPlan) => Promise<Feeds>) | null;
}

export interface BenchmarkContext {
  /** Throws to cancel. */
  progress(progress: Progress): Promise<void>;
}

type VariantFacts = BenchmarkFacts['variants'][number];
type Extras = Pick<VariantFacts, 'placement' | 'profile' | 'sustained'>;

/** Runs in a profile: enough for a mean, few enough for a file of some megabytes. */
const PROFILE_MS = 1000;
const MOST_PROFILE_RUNS = 50;
/** Sustained load is told as one median for each of these. */
const SLICE_MS = 5000;

/** A variant that cannot run is a row with an error. Throws `provider-unavailable` for an unknown provider's name. */
export async function runBenchmark(request: BenchmarkRequest, context: BenchmarkContext): Promise<BenchmarkFacts> {
  const { models, options, seed, feedsFor } = request;
  for (const provider of options.provider ?? []) checkProviderName(provider);
  const engine = await openEngine();
  const environment = await describeEnvironment(`${engine.name} ${engine.version}`);
  const plans = planVariants(models, options);
  const interleaveOptions: InterleaveOptions = {
    seconds: options.seconds ?? DEFAULT_SECONDS,
    seed,
    feedsFor,
    progress: (progress) => context.progress(progress),
  };
  const before = machineIndex();
  const { order, records } = await interleave(plans, interleaveOptions);
  const after = machineIndex();
  const variants: VariantFacts[] = [];
  for (const record of records) {
    const extras = record.error === null ? await measureExtras(record, options, interleaveOptions) : {};
    variants.push(factsOf(record, extras));
  }
  return { environment: { ...environment, machineIndex: { before, after } }, seed, order: [...order], variants };
}

function factsOf(record: VariantRecord, extras: Extras & { warning?: string }): VariantFacts {
  const { plan, blocks, epochs, coldStart, warmup, batch, inputs, peakRss, error, block, feeds } = record;
  const { warning, ...measured } = extras;
  const warnings = [...record.warnings, ...(warning === undefined ? [] : [warning])];
  return {
    id: plan.id,
    label: plan.label,
    model: plan.model.name,
    provider: plan.provider,
    threads: plan.threads,
    batch,
    warmup,
    blocks,
    epochs,
    ...(block === null ? {} : { rewarm: block.rewarm }),
    ...(inputs.length === 0
      ? {}
      : {
          inputs: inputs.map((input) => ({ ...input, shape: [...input.shape] })),
          inputSource: feeds !== null ? 'user' : 'seeded',
        }),
    coldStart,
    peakRss,
    ...(error === null ? {} : { error }),
    ...(warnings.length === 0 ? {} : { warnings }),
    ...measured,
  };
}

/** Profile and sustained load. A failure here is a warning of the variant: its times were measured all the same. */
async function measureExtras(
  record: VariantRecord,
  options: BenchmarkOptions,
  context: InterleaveOptions,
): Promise<Extras & { warning?: string }> {
  try {
    return {
      ...(wantsProfile(record, options) ? await profileOf(record, options.profile === true, context) : {}),
      ...(options.sustained === undefined
        ? {}
        : { sustained: await sustainedLoad(record, options.sustained, context) }),
    };
  } catch (thrown) {
    const error = toHoneError(thrown);
    if (error.code === 'cancelled') throw error;
    return { warning: `Not measured further: ${error.message}` };
  }
}

/** Where nodes ran is worth a profile on every provider that may leave nodes to the CPU. The wasm build writes none. */
function wantsProfile({ plan }: VariantRecord, { profile }: BenchmarkOptions): boolean {
  if (plan.provider === 'wasm') return false;
  return profile === true || plan.provider !== 'cpu';
}

async function profileOf(record: VariantRecord, withTimes: boolean, context: InterleaveOptions): Promise<Extras> {
  await context.progress({ phase: 'profiling', done: 0, total: null, detail: record.plan.label });
  const folder = await mkdtemp(join(tmpdir(), 'hone-profile-'));
  try {
    const message = { ...openMessage(record, context.seed), warmup: 1, profilePrefix: join(folder, 'profile') };
    const { client } = await VariantClient.start(message);
    try {
      const { rows, placement } = await client.profile(profileRuns(record));
      return { placement: { ...placement }, ...(withTimes ? { profile: [...rows] } : {}) };
    } finally {
      await client.end();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function profileRuns({ blocks }: VariantRecord): number {
  const run = blocks.length === 0 ? PROFILE_MS : median(blocks.flat());
  return Math.min(MOST_PROFILE_RUNS, Math.max(1, Math.round(PROFILE_MS / run)));
}

/** The median of each slice, with the seconds since the start at which the slice began. */
async function sustainedLoad(
  record: VariantRecord,
  minutes: number,
  context: InterleaveOptions,
): Promise<NonNullable<VariantFacts['sustained']>> {
  const { client, opened } = await VariantClient.start(openMessage(record, context.seed));
  const slices: NonNullable<VariantFacts['sustained']> = [];
  const total = minutes * 60_000;
  const start = performance.now();
  let run = opened.run;
  try {
    for (let elapsed = 0; elapsed < total; elapsed = performance.now() - start) {
      await context.progress({
        phase: 'sustained load',
        done: Math.round(elapsed),
        total: Math.round(total),
        detail: record.plan.label,
      });
      const wanted = Math.min(SLICE_MS, total - elapsed);
      const { times } = await client.block(Math.max(1, Math.round(wanted / Math.max(run, 1e-3))), 0);
      run = median(times);
      slices.push({ second: elapsed / 1000, median: run });
    }
  } finally {
    await client.end();
  }
  return slices;
}
