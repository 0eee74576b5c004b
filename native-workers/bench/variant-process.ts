/**
 * One variant of a benchmark in a process of its own: opens the model, warms up, and runs blocks when told. Between blocks it
 * waits for a message and uses no processor time. It dies with the process that started it.
 */
import { readFileSync, rmSync } from 'node:fs';
import type { Feeds } from '../lib/engine.ts';
import { peakMemory } from '../lib/peak-memory.ts';
import { HoneError, toHoneError } from '../protocol/errors.ts';
import { type OnnxSession, openEngine } from '../runtimes/onnxruntime.ts';
import { failureOfRun } from '../runtimes/onnxruntime-errors.ts';
import { openWasmEngine } from '../runtimes/onnxruntime-web.ts';
import { median } from './distribution.ts';
import { batchOf, seededFeeds } from './inputs.ts';
import { parseProfile } from './profile.ts';
import { timeBlock } from './time-block.ts';
import type { OpenedMessage, OpenMessage, VariantReply, VariantRequest } from './variant-messages.ts';

/** Runs before anything is timed fill this time. */
const WARMUP_MS = 200;

interface Open {
  readonly session: OnnxSession;
  readonly run: () => Promise<unknown>;
  /** Runs so far, which a profile holds too. */
  readonly warmup: number;
}

let open: Open | null = null;

process.on('disconnect', () => process.exit(0));
process.on('message', (message) => {
  answer(message as VariantRequest)
    .catch((thrown): VariantReply => ({ type: 'failed', error: toHoneError(thrown).toData() }))
    .then((reply) => process.send?.(reply));
});

async function answer(message: VariantRequest): Promise<VariantReply> {
  if (message.type === 'open') return openVariant(message);
  if (open === null) throw new HoneError('internal', 'The variant process was told to run before it had a model.');
  try {
    if (message.type === 'profile') return await profile(open, message.runs);
    const times = await timeBlock(open.run, message.rewarm, message.runs);
    return { type: 'times', times, peakRss: peakMemory() };
  } catch (thrown) {
    throw failureOfRun(thrown);
  }
}

async function openVariant(message: OpenMessage): Promise<OpenedMessage> {
  const bootedAt = performance.timeOrigin + performance.nodeTiming.bootstrapComplete;
  const start = performance.now();
  const engine = message.provider === 'wasm' ? await openWasmEngine() : await openEngine({ nativeLog: true });
  const loaded = performance.now();
  const session = await engine.open(message.model, {
    provider: message.provider,
    threads: message.threads,
    ...(message.profilePrefix === null ? {} : { profilePrefix: message.profilePrefix }),
  });
  const created = performance.now();
  const feeds = message.feeds ?? seededFeeds(session.inputs, message.batch, message.seed);
  const run = session.bind(feeds);
  const firstStart = performance.now();
  // The one run that goes through the conversion of outputs and errors, so a model that cannot be run is told as such.
  await session.run(feeds);
  const firstRun = performance.now() - firstStart;
  const times = await warmUp(run, message.warmup, firstRun);
  open = { session, run, warmup: times.length };
  return {
    type: 'opened',
    bootedAt,
    addon: loaded - start,
    create: created - loaded,
    firstRun,
    warmup: times.length,
    run: median(times.slice(Math.floor(times.length / 2))),
    batch: batchOf(feeds),
    inputs: inputsOf(feeds),
    peakRss: peakMemory(),
  };
}

/** Times of the warm-up runs, the first run among them. */
async function warmUp(run: () => Promise<unknown>, runs: number | null, firstRun: number): Promise<number[]> {
  const times = [firstRun];
  const end = performance.now() + WARMUP_MS - firstRun;
  while (runs === null ? performance.now() < end : times.length < runs) {
    const start = performance.now();
    await run();
    times.push(performance.now() - start);
  }
  return times;
}

async function profile({ session, run, warmup }: Open, runs: number): Promise<VariantReply> {
  for (let index = 0; index < runs; index++) await run();
  const path = session.endProfiling();
  try {
    const { rows, placement } = parseProfile(readFileSync(path, 'utf8'), warmup + runs);
    return { type: 'profile', rows, placement };
  } finally {
    rmSync(path, { force: true });
  }
}

function inputsOf(feeds: Feeds): OpenedMessage['inputs'] {
  return Object.entries(feeds).map(([name, { dtype, shape }]) => ({ name, dtype, shape }));
}
