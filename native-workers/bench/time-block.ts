/**
 * The timed loop. A timed run is `session.run` on tensors that were made before, and nothing else; the two reads of the clock
 * around it cost about 0.1 µs (test/bench/benchmark-trust.ts measures the whole loop against a bare one). The Node binding
 * itself adds one turn of the event loop, 3 to 5 µs, which every Node program pays.
 */

/** Milliseconds of each of `runs` runs, after `rewarm` that are not timed. */
export async function timeBlock(run: () => Promise<unknown>, rewarm: number, runs: number): Promise<Float64Array> {
  const times = new Float64Array(runs);
  for (let index = 0; index < rewarm; index++) await run();
  for (let index = 0; index < runs; index++) {
    const start = performance.now();
    await run();
    times[index] = performance.now() - start;
  }
  return times;
}
