/**
 * ONNX Runtime's profile (Chrome trace JSON, one event a kernel and run) as time by operator and nodes by provider.
 * The events that count are `cat: "Node"` with names that end in `_kernel_time`; `dur` is in microseconds.
 */
import { z } from 'zod';
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
}

const KERNEL = '_kernel_time';

/**
 * The first run of each node is warm-up and left out where there is more than one; the rest is the mean of a run.
 * Nodes that ran more than once in a run (loop bodies) count once and their times add up.
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
  for (const { operator, provider, times } of nodes.values()) {
    placement[provider] = (placement[provider] ?? 0) + 1;
    const row = byOperator.get(operator) ?? { nodes: 0, ms: 0 };
    row.nodes += 1;
    row.ms += timeOfRun(times, runs);
    byOperator.set(operator, row);
  }
  const rows = [...byOperator].map(([operator, row]) => ({ operator, ...row })).sort((a, b) => b.ms - a.ms);
  return { rows, placement };
}

/** Milliseconds of one run from the microseconds of all its calls, in order; calls of one run are equally many. */
function timeOfRun(times: readonly number[], runs: number): number {
  const warm = runs > 1 ? times.slice(Math.ceil(times.length / runs)) : times;
  const counted = runs > 1 ? runs - 1 : 1;
  return warm.reduce((sum, time) => sum + time, 0) / counted / 1000;
}
