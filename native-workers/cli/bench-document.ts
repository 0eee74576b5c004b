/** `hone bench --json`, from the raw facts of the benchmark: statistics of each variant, and the variants compared. */
import { median } from '../bench/distribution.ts';
import { compareBlocks, statsOf } from '../bench/statistics.ts';
import type { ErrorData } from '../protocol/errors.ts';
import type { BenchmarkFacts, Environment } from '../protocol/facts.ts';
import type { Stats, Verdict } from '../report/document.ts';

type Variant = BenchmarkFacts['variants'][number];

export interface BenchDocument {
  readonly environment: Environment;
  readonly seed: number;
  readonly variants: readonly {
    readonly id: string;
    readonly label: string;
    readonly model: string;
    readonly provider: string;
    readonly threads: number;
    readonly batch: number;
    /** null, with `error`, when the variant could not be run. */
    readonly stats: Stats | null;
    /** Medians of the cold starts. */
    readonly coldStart: { readonly load: number; readonly create: number; readonly firstRun: number } | null;
    readonly coldStarts: Variant['coldStart'];
    readonly peakRss: number | null;
    readonly samples: readonly number[];
    readonly error?: ErrorData;
    readonly placement?: Variant['placement'];
    readonly profile?: Variant['profile'];
    readonly sustained?: Variant['sustained'];
  }[];
  /** `a` and `b` are ids of variants; the ratio is b/a. */
  readonly comparisons: readonly { readonly a: string; readonly b: string; readonly ratio: Verdict }[];
}

export function benchDocument(facts: BenchmarkFacts): BenchDocument {
  return {
    environment: facts.environment,
    seed: facts.seed,
    variants: facts.variants.map((variant) => {
      const { id, label, model, provider, threads, batch, warmup, blocks, coldStart, peakRss } = variant;
      const samples = blocks.flat();
      return {
        id,
        label,
        model,
        provider,
        threads,
        batch,
        stats: samples.length === 0 ? null : statsOf(samples, warmup),
        coldStart:
          coldStart.length === 0
            ? null
            : {
                load: median(coldStart.map(({ load }) => load)),
                create: median(coldStart.map(({ create }) => create)),
                firstRun: median(coldStart.map(({ firstRun }) => firstRun)),
              },
        coldStarts: coldStart,
        peakRss,
        samples,
        ...(variant.error === undefined ? {} : { error: variant.error }),
        ...(variant.placement === undefined ? {} : { placement: variant.placement }),
        ...(variant.profile === undefined ? {} : { profile: variant.profile }),
        ...(variant.sustained === undefined ? {} : { sustained: variant.sustained }),
      };
    }),
    comparisons: comparisons(facts.variants).map(([a, b]) => ({
      a: a.id,
      b: b.id,
      ratio: compareBlocks(a.blocks, b.blocks, facts.seed, a.epochs),
    })),
  };
}

/** Variants against the first one of their setting; where no setting has two, every variant against the first of all. */
function comparisons(variants: readonly Variant[]): (readonly [Variant, Variant])[] {
  const setting = ({ provider, threads, batch }: Variant): string => `${provider} ${threads} ${batch}`;
  const bySetting = new Set(variants.map(setting)).size < variants.length;
  const firsts = new Map<string, Variant>();
  const found: (readonly [Variant, Variant])[] = [];
  for (const variant of variants) {
    if (variant.blocks.every((block) => block.length === 0)) continue;
    const group = bySetting ? setting(variant) : '';
    const first = firsts.get(group);
    if (first === undefined) firsts.set(group, variant);
    else found.push([first, variant]);
  }
  return found;
}
