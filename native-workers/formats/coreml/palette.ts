/** k-means in one dimension: the palette of a weight. */

const ROUNDS = 12;

/**
 * The `count` values (ascending) that the weights are drawn to, and for each weight the index of its own. Starts at even
 * quantiles, so the same weights give the same palette; Lloyd's iterations on the sorted weights follow.
 */
export function palette(weights: Float32Array, count: number): { centers: Float32Array; codes: Uint8Array } {
  const sorted = Float32Array.from(weights).sort();
  const size = sorted.length;
  const sums = new Float64Array(size + 1);
  for (let index = 0; index < size; index++) sums[index + 1] = (sums[index] ?? 0) + (sorted[index] ?? 0);
  let centers = Float32Array.from(
    { length: count },
    (_, index) => sorted[Math.floor(((index + 0.5) * size) / count)] ?? 0,
  );
  for (let round = 0; round < ROUNDS; round++) {
    const bounds = [0];
    for (let index = 1; index < count; index++) {
      bounds.push(firstAbove(sorted, ((centers[index - 1] ?? 0) + (centers[index] ?? 0)) / 2));
    }
    bounds.push(size);
    const moved = centers.map((center, index) => {
      const [from, to] = [bounds[index] ?? 0, bounds[index + 1] ?? 0];
      return to > from ? ((sums[to] ?? 0) - (sums[from] ?? 0)) / (to - from) : center;
    });
    const done = moved.every((center, index) => center === centers[index]);
    centers = moved.sort();
    if (done) break;
  }
  const middles = Float32Array.from(
    { length: count - 1 },
    (_, index) => ((centers[index] ?? 0) + (centers[index + 1] ?? 0)) / 2,
  );
  return { centers, codes: Uint8Array.from(weights, (weight) => firstAbove(middles, weight)) };
}

/** The index of the first element of an ascending array that is above `value`; its length when none is. */
function firstAbove(sorted: Float32Array, value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? 0) > value) high = middle;
    else low = middle + 1;
  }
  return low;
}
