/**
 * Runs variants in turns. An epoch starts a fresh process for every variant, warms up, and runs rounds of blocks: all variants
 * in random order, then in the opposite order (AB BA), so that a drift of the machine meets all of them alike. Only one process
 * runs at a time. What the times mean is `statistics.ts`'s matter.
 */
import type { Feeds } from '../lib/engine.ts';
import { Random } from '../lib/random.ts';
import { type ErrorData, toHoneError } from '../protocol/errors.ts';
import type { Progress } from '../protocol/messages.ts';
import {
  type BlockPlan,
  comparedPairs,
  epochTime,
  FEWEST_EPOCHS,
  planBlock,
  totalTime,
  type VariantPlan,
} from './plan.ts';
import { isSettled } from './statistics.ts';
import { type ColdStart, type Opened, VariantClient } from './variant-client.ts';
import type { InputInfo } from './variant-messages.ts';

export interface InterleaveOptions {
  readonly seconds: number;
  readonly seed: number;
  /** The user's inputs for a variant, asked for once; null where all variants are to have seeded ones. */
  readonly feedsFor: ((plan: VariantPlan) => Promise<Feeds>) | null;
  /** Throws to cancel. */
  progress(progress: Progress): Promise<void>;
}

/** What was measured of one variant; grows while the benchmark runs. */
export interface VariantRecord {
  readonly plan: VariantPlan;
  /** null: seeded. */
  feeds: Feeds | null;
  readonly blocks: number[][];
  /** The epoch of each block. */
  readonly epochs: number[];
  readonly coldStart: ColdStart[];
  readonly warnings: Set<string>;
  /** Fixed by the first start, the same for the later ones. */
  warmup: number;
  block: BlockPlan | null;
  batch: number;
  inputs: readonly InputInfo[];
  peakRss: number | null;
  error: ErrorData | null;
}

export interface Interleaved {
  /** Index of the variant of each block, as they ran. */
  readonly order: readonly number[];
  readonly records: readonly VariantRecord[];
}

/** A variant that fails is left out from then on, with its error; the others go on. Throws only what `progress` throws. */
export async function interleave(plans: readonly VariantPlan[], options: InterleaveOptions): Promise<Interleaved> {
  const records = plans.map(newRecord);
  const pairs = comparedPairs(plans);
  const order: number[] = [];
  const random = new Random(options.seed);
  await readFeeds(records, options);
  const start = performance.now();
  const total = totalTime(options.seconds, plans.length);
  for (let epoch = 0; ; epoch++) {
    const epochStart = performance.now();
    const clients = await launch(records, random, options);
    try {
      const launched = performance.now();
      const end = launched + epochTime(total, launched - epochStart);
      const live = [...clients.keys()];
      let round = random.shuffle([...live]);
      let forward = true;
      do {
        for (const index of round) {
          const record = records[index];
          const client = clients.get(index);
          if (record === undefined || client === undefined || record.error !== null) continue;
          const elapsed = Math.min(total, performance.now() - start);
          await options.progress({
            phase: `measuring, start ${epoch + 1}`,
            done: Math.round(elapsed),
            total: Math.round(total),
            detail: record.plan.label,
          });
          if (await runBlock(record, client, epoch)) order.push(index);
        }
        round = forward ? round.toReversed() : random.shuffle([...live]);
        forward = !forward;
      } while (performance.now() < end && records.some((record) => record.error === null));
    } finally {
      for (const [index, client] of clients) {
        for (const warning of client.warnings) records[index]?.warnings.add(warning);
        await client.end();
      }
    }
    const now = performance.now();
    // Another epoch, like this one, may end a little late but not run over by more than half of itself.
    const timeIsUp = now - start + (now - epochStart) / 2 > total;
    if (records.every((record) => record.error !== null) || (timeIsUp && epoch + 1 >= FEWEST_EPOCHS)) break;
    if (pairs.length > 0 && pairs.every(([a, b]) => pairIsSettled(records[a], records[b], options.seed))) break;
  }
  return { order, records };
}

function newRecord(plan: VariantPlan): VariantRecord {
  return {
    plan,
    feeds: null,
    blocks: [],
    epochs: [],
    coldStart: [],
    warnings: new Set(),
    warmup: 0,
    block: null,
    batch: plan.batch ?? 1,
    inputs: [],
    peakRss: null,
    error: null,
  };
}

async function readFeeds(records: readonly VariantRecord[], { feedsFor }: InterleaveOptions): Promise<void> {
  if (feedsFor === null) return;
  for (const record of records) {
    try {
      record.feeds = await feedsFor(record.plan);
    } catch (thrown) {
      record.error = toHoneError(thrown).toData();
    }
  }
}

/** Starts all variants one after the other, in random order: a start must not disturb another's cold start. */
async function launch(
  records: readonly VariantRecord[],
  random: Random,
  options: InterleaveOptions,
): Promise<Map<number, VariantClient>> {
  const clients = new Map<number, VariantClient>();
  try {
    for (const index of random.shuffle([...records.keys()])) {
      const record = records[index];
      if (record === undefined || record.error !== null) continue;
      await options.progress({
        phase: 'starting',
        done: clients.size,
        total: records.length,
        detail: record.plan.label,
      });
      try {
        const { client, opened } = await VariantClient.start(openMessage(record, options.seed));
        clients.set(index, client);
        noteStart(record, opened);
      } catch (thrown) {
        record.error = toHoneError(thrown).toData();
      }
    }
  } catch (thrown) {
    for (const client of clients.values()) await client.end();
    throw thrown;
  }
  return clients;
}

export function openMessage(record: VariantRecord, seed: number): Parameters<typeof VariantClient.start>[0] {
  const { plan, warmup, feeds } = record;
  return {
    model: plan.model.path,
    provider: plan.provider,
    threads: plan.threads,
    batch: plan.batch,
    seed,
    feeds,
    warmup: warmup === 0 ? null : warmup,
    profilePrefix: null,
  };
}

function noteStart(record: VariantRecord, opened: Opened): void {
  record.coldStart.push(opened.coldStart);
  record.peakRss = Math.max(record.peakRss ?? 0, opened.peakRss);
  record.warmup = opened.warmup;
  record.block ??= planBlock(opened.run);
  record.batch = opened.batch;
  record.inputs = opened.inputs;
}

/** False when the variant failed; its error is then in the record. */
async function runBlock(record: VariantRecord, client: VariantClient, epoch: number): Promise<boolean> {
  const { runs, rewarm } = record.block ?? { runs: 1, rewarm: 0 };
  try {
    const { times, peakRss } = await client.block(runs, rewarm);
    record.blocks.push(times);
    record.epochs.push(epoch);
    record.peakRss = Math.max(record.peakRss ?? 0, peakRss);
    return true;
  } catch (thrown) {
    record.error = toHoneError(thrown).toData();
    return false;
  }
}

function pairIsSettled(before: VariantRecord | undefined, after: VariantRecord | undefined, seed: number): boolean {
  if (before === undefined || after === undefined || before.error !== null || after.error !== null) return true;
  return isSettled(before.blocks, after.blocks, seed, before.epochs);
}
