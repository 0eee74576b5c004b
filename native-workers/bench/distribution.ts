/** Order statistics and Student's distribution. */

export function sortedCopy(values: readonly number[] | Float64Array): Float64Array {
  return Float64Array.from(values).sort();
}

/** Quantile of sorted values, interpolated between neighbours (R type 7). NaN when there are none. */
export function quantile(sorted: Float64Array, share: number): number {
  const position = (sorted.length - 1) * share;
  const lower = sorted[Math.floor(position)] ?? Number.NaN;
  const upper = sorted[Math.ceil(position)] ?? Number.NaN;
  return lower + (upper - lower) * (position - Math.floor(position));
}

export function median(values: readonly number[] | Float64Array): number {
  return quantile(sortedCopy(values), 0.5);
}

/**
 * Quantile of Student's t with whole degrees of freedom, for shares above one half. Inverts the distribution function
 * (closed finite sums for whole degrees: Abramowitz and Stegun 26.7.3 and 26.7.4) by bisection, to 12 digits.
 */
export function studentQuantile(share: number, degrees: number): number {
  let low = 0;
  let high = 1;
  while (studentDistribution(high, degrees) < share) high *= 2;
  for (let step = 0; step < 100 && high - low > 1e-12 * high; step++) {
    const middle = (low + high) / 2;
    if (studentDistribution(middle, degrees) < share) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** P(T <= t) for t >= 0. */
function studentDistribution(t: number, degrees: number): number {
  const angle = Math.atan(t / Math.sqrt(degrees));
  const cosine = Math.cos(angle) ** 2;
  const odd = degrees % 2 === 1;
  let term = odd ? Math.cos(angle) : 1;
  let sum = degrees > 1 ? term : 0;
  for (let factor = odd ? 2 : 1; factor <= degrees - 3; factor += 2) {
    term *= (cosine * factor) / (factor + 1);
    sum += term;
  }
  const inside = odd ? (2 / Math.PI) * (angle + Math.sin(angle) * sum) : Math.sin(angle) * sum;
  return 0.5 + inside / 2;
}
