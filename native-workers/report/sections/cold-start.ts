/** The time from nothing to the first answer, in fresh processes: the process and its runtime, the session, the first run. */
import { z } from 'zod';
import { absenceOf } from '../input.ts';
import { measured, notMeasured } from '../outcome.ts';
import type { BenchmarkVariant } from '../pairs.ts';
import { primaryPair } from '../pairs.ts';
import { defineSection } from '../section.ts';

const spreadSchema = z.strictObject({ median: z.number(), min: z.number(), max: z.number() });

const coldStartSideSchema = z.strictObject({
  label: z.string(),
  /** How many fresh processes were timed. */
  processes: z.number(),
  load: spreadSchema,
  create: spreadSchema,
  firstRun: spreadSchema,
  total: spreadSchema,
});

export const coldStartSchema = z.strictObject({
  unit: z.literal('ms'),
  before: coldStartSideSchema,
  after: coldStartSideSchema,
  /** Of the median totals, after/before. */
  ratio: z.number(),
});
export type ColdStartSection = z.infer<typeof coldStartSchema>;

export const coldStart = defineSection(coldStartSchema, (input) => {
  if (input.facts.benchmark === null) return absenceOf('benchmark', input);
  const pair = primaryPair(input);
  if (pair === null) return notMeasured('No pair of variants was benchmarked.');
  const before = sideOf(pair.before);
  const after = sideOf(pair.after);
  if (before === null || after === null) return notMeasured('Cold start was not timed for both models.');
  return measured({ unit: 'ms', before, after, ratio: after.total.median / before.total.median });
});

function sideOf(variant: BenchmarkVariant): ColdStartSection['before'] | null {
  const starts = variant.coldStart;
  if (starts.length === 0) return null;
  return {
    label: variant.label,
    processes: starts.length,
    load: spreadOf(starts.map((start) => start.load)),
    create: spreadOf(starts.map((start) => start.create)),
    firstRun: spreadOf(starts.map((start) => start.firstRun)),
    total: spreadOf(starts.map((start) => start.load + start.create + start.firstRun)),
  };
}

function spreadOf(values: readonly number[]): z.infer<typeof spreadSchema> {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (index: number): number => sorted[index] ?? Number.NaN;
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? at(middle) : (at(middle - 1) + at(middle)) / 2;
  return { median, min: at(0), max: at(sorted.length - 1) };
}
