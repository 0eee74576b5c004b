/**
 * A simulated machine that is as bad as shared ones are: each process is a bit faster or slower for as long as it lives, speed
 * wanders (AR(1)), neighbours take it away in bursts, and single blocks have heavy tails (Student's t with 3 degrees).
 */
import { Random } from '../../native-workers/lib/random.ts';

export interface MachineNoise {
  /** Standard deviation of the log speed of a process. */
  readonly process: number;
  /** Of the wandering log speed, and its correlation from block to block. */
  readonly wander: number;
  readonly correlation: number;
  /** Chance that a burst begins at a block, its longest length in blocks and its size in log time. */
  readonly burst: number;
  readonly burstBlocks: number;
  readonly burstSize: number;
  /** Scale of the heavy-tailed noise of one block. */
  readonly tail: number;
}

export const MACHINES: Readonly<Record<'quiet' | 'noisy' | 'hostile', MachineNoise>> = {
  quiet: { process: 0.007, wander: 0.02, correlation: 0.9, burst: 0.01, burstBlocks: 4, burstSize: 0.2, tail: 0.008 },
  noisy: { process: 0.01, wander: 0.05, correlation: 0.9, burst: 0.05, burstBlocks: 8, burstSize: 0.4, tail: 0.02 },
  hostile: { process: 0.015, wander: 0.1, correlation: 0.95, burst: 0.1, burstBlocks: 12, burstSize: 0.8, tail: 0.04 },
};

export interface SimulatedRun {
  readonly before: number[][];
  readonly after: number[][];
  readonly epochs: number[];
}

/** `ratio`: true time of `after` over that of `before`. Runs rounds of AB BA as the benchmark does; three runs a block. */
export function simulateRun(
  noise: MachineNoise,
  ratio: number,
  epochs: number,
  rounds: number,
  seed: number,
): SimulatedRun {
  const random = new Random(seed);
  const run: SimulatedRun = { before: [], after: [], epochs: [] };
  let wander = 0;
  let burst = 0;
  const nextBlock = (): number => {
    wander = noise.correlation * wander + Math.sqrt(1 - noise.correlation ** 2) * noise.wander * random.normal();
    if (burst > 0) burst--;
    else if (random.float() < noise.burst) burst = 1 + random.below(noise.burstBlocks);
    return wander + (burst > 0 ? noise.burstSize * (0.3 + random.float()) : 0) + noise.tail * heavyTail(random);
  };
  for (let epoch = 0; epoch < epochs; epoch++) {
    const speeds = [noise.process * random.normal(), Math.log(ratio) + noise.process * random.normal()];
    // Starting processes takes the time of some blocks.
    for (let block = 0; block < 4; block++) nextBlock();
    for (let round = 0; round < rounds; round++) {
      const first = random.below(2);
      for (const variant of [first, 1 - first, 1 - first, first]) {
        const time = Math.exp((speeds[variant] ?? 0) + nextBlock());
        const block = [0, 1, 2].map(() => time * Math.exp(0.01 * Math.abs(random.normal())));
        (variant === 0 ? run.before : run.after).push(block);
      }
      run.epochs.push(epoch, epoch);
    }
  }
  return run;
}

function heavyTail(random: Random): number {
  const squares = random.normal() ** 2 + random.normal() ** 2 + random.normal() ** 2;
  return random.normal() / Math.sqrt(squares / 3);
}
