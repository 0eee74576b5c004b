/** A part of the samples that stands for the whole: every class in its share, chosen by seed. */
import { Random } from '../lib/random.ts';

/**
 * Ascending indexes of `limit` of `count` samples, or null when that is all of them. The shares of the classes are kept by
 * largest remainder, so each is off by less than one sample.
 */
export function chooseSamples(
  count: number,
  classOf: (index: number) => number | null,
  limit: number,
  seed: number,
): readonly number[] | null {
  if (limit >= count) return null;
  const strata = new Map<number | null, number[]>();
  for (let index = 0; index < count; index++) {
    const key = classOf(index);
    const stratum = strata.get(key);
    if (stratum === undefined) strata.set(key, [index]);
    else stratum.push(index);
  }
  const random = new Random(seed);
  const shares = [...strata.values()].map((stratum) => {
    const exact = (stratum.length * limit) / count;
    // The tie between equal remainders is broken by chance, or small limits would always leave out the last classes.
    return { stratum, take: Math.floor(exact), remainder: exact - Math.floor(exact), tie: random.float() };
  });
  const missing = limit - shares.reduce((sum, share) => sum + share.take, 0);
  shares
    .toSorted((a, b) => b.remainder - a.remainder || a.tie - b.tie)
    .slice(0, missing)
    .forEach((share) => {
      share.take++;
    });
  return shares.flatMap(({ stratum, take }) => random.shuffle(stratum).slice(0, take)).toSorted((a, b) => a - b);
}
