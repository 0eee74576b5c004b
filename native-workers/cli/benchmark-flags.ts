/** The flags that say how to benchmark: the same for `bench` and `optimize`. */
import type { Command } from 'commander';
import type { BenchmarkOptions } from '../protocol/request.ts';
import { names, positive, positiveIntegers } from './cli.ts';

export interface BenchmarkFlags {
  readonly provider?: string[];
  readonly threads?: number[];
  readonly batch?: number[];
  readonly seconds?: number;
  readonly profile?: boolean;
  readonly sustained?: number;
}

export function withBenchmarkFlags(command: Command): Command {
  return command
    .option('--provider <names>', 'execution providers with commas between, such as cpu,webgpu', names)
    .option('--threads <counts>', 'threads of a run, such as 1,2', positiveIntegers)
    .option('--batch <sizes>', 'batch sizes, such as 1,8', positiveIntegers)
    .option('--seconds <n>', 'time for all blocks of a comparison', positive)
    .option('--profile', 'measure each operator and where it ran');
}

export function benchmarkOptions(flags: BenchmarkFlags): BenchmarkOptions {
  const { provider, threads, batch, seconds, profile, sustained } = flags;
  return {
    ...(provider === undefined ? {} : { provider }),
    ...(threads === undefined ? {} : { threads }),
    ...(batch === undefined ? {} : { batch }),
    ...(seconds === undefined ? {} : { seconds }),
    ...(profile === undefined ? {} : { profile }),
    ...(sustained === undefined ? {} : { sustained }),
  };
}
