/** Which variants of a benchmark are to be compared: before and after under the same provider, threads and batch. */
import type { BenchmarkFacts } from '../protocol/facts.ts';
import type { ReportInput } from './input.ts';

export type BenchmarkVariant = BenchmarkFacts['variants'][number];

export interface VariantPair {
  readonly provider: string;
  readonly threads: number;
  readonly batch: number;
  /** Indexes into the variants of the facts. */
  readonly before: number;
  readonly after: number;
}

/**
 * In the order of the variants. Before is the source model, after the last model that the run made; a variant names its
 * model by id or by path. A variant without a counterpart is in no pair.
 */
export function pairsOf(benchmark: BenchmarkFacts, { manifest, facts }: ReportInput): VariantPair[] {
  const optimised = facts.optimize?.model ?? manifest.models.findLast((model) => model.id !== 'source');
  const isSource = (variant: BenchmarkVariant): boolean =>
    variant.model === 'source' || variant.model === manifest.source.path;
  const isOptimised = (variant: BenchmarkVariant): boolean =>
    optimised === undefined
      ? !isSource(variant)
      : variant.model === optimised.id ||
        variant.model === optimised.path ||
        variant.model.endsWith(`/${optimised.path}`);
  return benchmark.variants.flatMap((variant, before) => {
    if (!isSource(variant)) return [];
    const { provider, threads, batch } = variant;
    const after = benchmark.variants.findIndex(
      (other) =>
        isOptimised(other) && other.provider === provider && other.threads === threads && other.batch === batch,
    );
    return after === -1 ? [] : [{ provider, threads, batch, before, after }];
  });
}

export interface PairedVariants {
  readonly before: BenchmarkVariant;
  readonly after: BenchmarkVariant;
}

/** The variants of the pair that the verdict speaks of: the first; null when there is none. */
export function primaryPair(input: ReportInput): PairedVariants | null {
  const benchmark = input.facts.benchmark;
  const pair = benchmark === null ? undefined : pairsOf(benchmark, input)[0];
  const before = pair === undefined ? undefined : benchmark?.variants[pair.before];
  const after = pair === undefined ? undefined : benchmark?.variants[pair.after];
  return before === undefined || after === undefined ? null : { before, after };
}
