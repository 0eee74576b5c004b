/** What a benchmark runs: the variants of its matrix, the pairs that are compared, and how long blocks and epochs are. */
import { availableParallelism } from 'node:os';
import type { BenchmarkOptions } from '../protocol/request.ts';

export interface ModelToRun {
  /** What the facts call it: a path, or the id of a model of the run. */
  readonly name: string;
  readonly path: string;
  readonly label: string;
}

export interface VariantPlan {
  readonly id: string;
  readonly label: string;
  readonly model: ModelToRun;
  readonly provider: string;
  readonly threads: number;
  /** null: what the model says, else 1. */
  readonly batch: number | null;
}

export const DEFAULT_SECONDS = 20;

/**
 * Threads unless said: half of the processors, at most four, at least one. What phones give to a model, and it leaves room for
 * everything else on the machine, which is what makes times steady.
 */
export function defaultThreads(): number {
  return Math.min(4, Math.max(1, Math.floor(availableParallelism() / 2)));
}

/** Every model under every setting; models of one setting stand together, in the order given. */
export function planVariants(models: readonly ModelToRun[], options: BenchmarkOptions): VariantPlan[] {
  const variants: VariantPlan[] = [];
  const several = (options.batch?.length ?? 0) > 1;
  for (const provider of options.provider ?? ['cpu']) {
    for (const threads of options.threads ?? [defaultThreads()]) {
      for (const batch of options.batch ?? [null]) {
        for (const model of models) {
          const setting = [provider, `${threads} ${threads === 1 ? 'thread' : 'threads'}`];
          if (several) setting.push(`batch ${batch ?? 1}`);
          variants.push({
            id: `${variants.length + 1}`,
            label: `${model.label} (${setting.join(', ')})`,
            model,
            provider,
            threads,
            batch,
          });
        }
      }
    }
  }
  return variants;
}

/** Models against the first one of their setting; one model alone: its settings against the first. Indexes, [before, after]. */
export function comparedPairs(variants: readonly VariantPlan[]): (readonly [number, number])[] {
  const single = new Set(variants.map(({ model }) => model)).size === 1;
  return variants.flatMap((variant, index): (readonly [number, number])[] => {
    const first = variants.findIndex(
      (other) =>
        single ||
        (other.provider === variant.provider && other.threads === variant.threads && other.batch === variant.batch),
    );
    return first === index ? [] : [[first, index]];
  });
}

/** A block takes about this long: shorter than most disturbances, longer than what a switch between processes costs. */
const BLOCK_MS = 100;
/** Another process has used the caches since: runs for this long are not counted, unless one run is long itself. */
const REWARM_MS = 10;
const LONG_RUN_MS = 100;

export interface BlockPlan {
  readonly runs: number;
  /** Runs before the timed ones of each block. */
  readonly rewarm: number;
}

/** `run`: milliseconds of one run. */
export function planBlock(run: number): BlockPlan {
  const time = Math.max(run, 1e-3);
  return {
    runs: Math.max(1, Math.round(BLOCK_MS / time)),
    rewarm: time >= LONG_RUN_MS ? 0 : Math.ceil(REWARM_MS / time),
  };
}

/** Fewest epochs of a comparison: the spread of fewer says nothing, and cold starts want several processes. */
export const FEWEST_EPOCHS = 3;
/** More than these add little to what is known of their spread; a longer benchmark has longer epochs instead. */
const MANY_EPOCHS = 30;
const EPOCH_MS = 1000;

/**
 * How long an epoch measures once its processes are there, given what launching them cost: two rounds of two fast models, or
 * three quarters of a slow launch, but no more than the share of the fewest epochs. Many short epochs tell more than few long ones, but not when all time goes into launches.
 */
export function epochTime(totalMs: number, launchMs: number): number {
  const wanted = Math.max(EPOCH_MS, 0.75 * launchMs, totalMs / MANY_EPOCHS - launchMs);
  return Math.min(wanted, totalMs / FEWEST_EPOCHS);
}

/**
 * Time for everything, launches included: `seconds` is for one comparison, that is two variants. Slow models take longer than
 * they were given, for the fewest epochs.
 */
export function totalTime(seconds: number, variants: number): number {
  return seconds * 1000 * Math.max(1, variants / 2);
}
