/** The machine and the versions that the numbers were taken on, and whether its speed drifted meanwhile. */
import { z } from 'zod';
import type { Environment } from '../../protocol/facts.ts';
import { environmentSchema } from '../../protocol/facts.ts';
import { measured, notMeasured } from '../outcome.ts';
import { defineSection } from '../section.ts';

export const environmentSectionSchema = z.strictObject({
  environment: environmentSchema,
  /** Of the machine index, after/before; null when it was not taken. */
  drift: z.number().nullable(),
});
export type EnvironmentSection = z.infer<typeof environmentSectionSchema>;

/** The benchmark's own record is preferred: it holds the machine index. */
export const environment = defineSection(environmentSectionSchema, ({ manifest, facts }) => {
  const found = facts.benchmark?.environment ?? manifest.environment;
  if (found === null) return notMeasured('The machine was not described.');
  return measured({ environment: found, drift: driftOf(found) });
});

function driftOf({ machineIndex }: Environment): number | null {
  return machineIndex === null || machineIndex.before === 0 ? null : machineIndex.after / machineIndex.before;
}
