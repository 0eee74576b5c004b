/** Quantiles for drawing. The numbers in tables come from the report itself. */

/** The value at share `q` (0..1) of sorted values, between neighbours where it falls there; NaN of none. */
export function quantile(sorted: readonly number[], q: number): number {
  const position = (sorted.length - 1) * q;
  const low = sorted[Math.floor(position)] ?? Number.NaN;
  const high = sorted[Math.ceil(position)] ?? low;
  return low + (high - low) * (position - Math.floor(position));
}

export function sortedCopy(values: readonly number[]): number[] {
  return values.toSorted((a, b) => a - b);
}
