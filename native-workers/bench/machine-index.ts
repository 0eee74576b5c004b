/**
 * The speed of this machine for one fixed computation, to see whether it changed during a benchmark (heat, neighbours, power).
 * It is no measure of how fast models run and of no use between machines.
 */

const STEPS = 4_000_000;
const REPEATS = 7;

/**
 * Million steps a second of a dependent integer chain, in the median of several repeats (about 60 ms in all): it uses one
 * core's clock and nothing of memory.
 */
export function machineIndex(): number {
  const rates: number[] = [];
  let state = 1;
  for (let repeat = 0; repeat <= REPEATS; repeat++) {
    const start = performance.now();
    state = chain(state, STEPS);
    rates.push(STEPS / 1000 / (performance.now() - start));
  }
  // The first repeat runs while the function is being compiled. The state is always below 2^32, which the compiler cannot know.
  const [, ...warm] = rates;
  return state < 2 ** 32 ? (warm.sort((a, b) => a - b)[REPEATS >> 1] ?? 0) : 0;
}

/** xorshift32 (G. Marsaglia, 2003): every step needs the one before. */
function chain(seed: number, steps: number): number {
  let state = seed;
  for (let step = 0; step < steps; step++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
  }
  return state >>> 0;
}
