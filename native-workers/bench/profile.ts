/**
 * ONNX Runtime's profile (Chrome trace JSON, one event a kernel and run) as time by operator and nodes by provider.
 * The events that count are `cat: "Node"` with names that end in `_kernel_time`; `dur` is in microseconds. On a GPU it is the time
 * to enqueue a kernel, not to run it: only the placement means something there.
 */
import { z } from 'zod';
import { median } from './distribution.ts';
import type { ProfileRow } from './variant-messages.ts';

const eventSchema = z.looseObject({
  cat: z.string().optional(),
  name: z.string(),
  dur: z.number().optional(),
  args: z.looseObject({ op_name: z.string().optional(), provider: z.string().optional() }).optional(),
});

export interface Profile {
  /** Slowest first. */
  readonly rows: readonly ProfileRow[];
  /** Nodes by provider: `cpu`, `webgpu`, … */
  readonly placement: Readonly<Record<string, number>>;
  /** Milliseconds of one run by node name, as the engine names its nodes. */
  readonly nodes: ReadonlyMap<string, number>;
}

const KERNEL = '_kernel_time';

/**
 * `runs`: how many the profile holds; the first is warm-up and left out where there are more. Nodes that ran more than once in
 * a run (loop bodies) count once and their times add up.
 */
export function parseProfile(json: string, runs: number): Profile {
  const nodes = new Map<string, { operator: string; provider: string; times: number[] }>();
  for (const entry of z.array(z.unknown()).parse(JSON.parse(json))) {
    const event = eventSchema.safeParse(entry);
    if (!event.success || event.data.cat !== 'Node' || !event.data.name.endsWith(KERNEL)) continue;
    const { name, dur = 0, args } = event.data;
    const node = nodes.get(name);
    if (node !== undefined) node.times.push(dur);
    else {
      const provider = (args?.provider ?? 'CPUExecutionProvider').replace(/ExecutionProvider$/, '').toLowerCase();
      nodes.set(name, { operator: args?.op_name ?? name.slice(0, -KERNEL.length), provider, times: [dur] });
    }
  }
  const byOperator = new Map<string, { nodes: number; ms: number }>();
  const placement: Record<string, number> = {};
  const byNode = new Map<string, number>();
  for (const [name, { operator, provider, times }] of nodes) {
    placement[provider] = (placement[provider] ?? 0) + 1;
    const row = byOperator.get(operator) ?? { nodes: 0, ms: 0 };
    row.nodes += 1;
    const ms = timeOfRun(times, runs);
    row.ms += ms;
    byNode.set(name.slice(0, -KERNEL.length), ms);
    byOperator.set(operator, row);
  }
  const rows = [...byOperator].map(([operator, row]) => ({ operator, ...row })).sort((a, b) => b.ms - a.ms);
  return { rows, placement, nodes: byNode };
}

/**
 * Milliseconds of one run from the microseconds of all its calls, in order: the median of the runs, each with equally many
 * calls; where their number differs from run to run (data-dependent loops), the mean.
 */
function timeOfRun(times: readonly number[], runs: number): number {
  const calls = times.length / runs;
  const sum = (some: readonly number[]): number => some.reduce((total, time) => total + time, 0);
  if (!Number.isInteger(calls)) return sum(times) / runs / 1000;
  const sums = Array.from({ length: runs }, (_, run) => sum(times.slice(run * calls, (run + 1) * calls)));
  return median(runs > 1 ? sums.slice(1) : sums) / 1000;
}
