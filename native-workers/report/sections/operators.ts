/** Where the time goes: milliseconds a run by operator type, before and after, from the engine's own profile. */
import { z } from 'zod';
import { absenceOf } from '../input.ts';
import { measured, notMeasured } from '../outcome.ts';
import { type BenchmarkVariant, primaryPair } from '../pairs.ts';
import { defineSection } from '../section.ts';

const operatorSideSchema = z.strictObject({ nodes: z.number(), ms: z.number() });

export const operatorsSchema = z.strictObject({
  unit: z.literal('ms'),
  /** Largest time first. null: the operator does not occur on that side. */
  rows: z.array(
    z.strictObject({
      operator: z.string(),
      before: operatorSideSchema.nullable(),
      after: operatorSideSchema.nullable(),
      /** after - before, a missing side counting as 0 ms. */
      delta: z.number(),
    }),
  ),
  total: z.strictObject({ before: z.number(), after: z.number() }),
});
export type OperatorsSection = z.infer<typeof operatorsSchema>;

export const operators = defineSection(operatorsSchema, (input) => {
  if (input.facts.benchmark === null) return absenceOf('benchmark', input);
  const pair = primaryPair(input);
  const before = pair?.before.profile;
  const after = pair?.after.profile;
  if (before === undefined || after === undefined) return notMeasured('The run was not profiled.');
  const sides = { before: byOperator(before), after: byOperator(after) };
  const rows = [...new Set([...sides.before.keys(), ...sides.after.keys()])].map((operator) => {
    const [was, is] = [sides.before.get(operator) ?? null, sides.after.get(operator) ?? null];
    return { operator, before: was, after: is, delta: (is?.ms ?? 0) - (was?.ms ?? 0) };
  });
  const largest = (row: (typeof rows)[number]): number => Math.max(row.before?.ms ?? 0, row.after?.ms ?? 0);
  return measured({
    unit: 'ms',
    rows: rows.sort((a, b) => largest(b) - largest(a) || (a.operator < b.operator ? -1 : 1)),
    total: { before: totalOf(before), after: totalOf(after) },
  });
});

type Profile = NonNullable<BenchmarkVariant['profile']>;

/** An operator may be listed more than once (by provider); its times add up. */
function byOperator(profile: Profile): Map<string, { nodes: number; ms: number }> {
  const sums = new Map<string, { nodes: number; ms: number }>();
  for (const { operator, nodes, ms } of profile) {
    const sum = sums.get(operator) ?? { nodes: 0, ms: 0 };
    sums.set(operator, { nodes: sum.nodes + nodes, ms: sum.ms + ms });
  }
  return sums;
}

function totalOf(profile: Profile): number {
  return profile.reduce((sum, row) => sum + row.ms, 0);
}
