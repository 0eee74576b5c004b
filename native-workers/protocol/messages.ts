/** Messages between the host and one job process. Checked on both sides, in both directions. */
import { z } from 'zod';
import { errorDataSchema } from './errors.ts';
import { liveSchema } from './live.ts';

export const progressSchema = z.strictObject({
  /** What the job does now, as a short phrase: `reading weights`, `block 12 of 40`. */
  phase: z.string(),
  done: z.number(),
  /** null when it cannot be known. */
  total: z.number().nullable(),
  detail: z.string().optional(),
  live: liveSchema.optional(),
});
export type Progress = z.infer<typeof progressSchema>;

/** With what was found before: it stands until the phase is another, or more is told. */
export function withLive(progress: Progress, before: Progress | null): Progress {
  if (progress.live !== undefined || before?.live === undefined || before.phase !== progress.phase) return progress;
  return { ...progress, live: before.live };
}

export const hostMessageSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('start'), protocol: z.number(), job: z.string(), request: z.unknown() }),
  /** A flag that the job sees between steps; a job that does not stop soon is killed. */
  z.strictObject({ type: z.literal('cancel') }),
]);
export type HostMessage = z.infer<typeof hostMessageSchema>;

export const workerMessageSchema = z.discriminatedUnion('type', [
  /** First, and once: who is there. */
  z.strictObject({
    type: z.literal('hello'),
    protocol: z.number(),
    hone: z.string(),
    node: z.string(),
    pid: z.number(),
  }),
  /** Latest wins; the host may drop older ones. */
  z.strictObject({ type: z.literal('progress'), progress: progressSchema }),
  /** Never dropped: a line for the log. */
  z.strictObject({ type: z.literal('log'), level: z.enum(['info', 'warning']), message: z.string() }),
  z.strictObject({ type: z.literal('result'), result: z.unknown(), peakRss: z.number() }),
  z.strictObject({ type: z.literal('error'), error: errorDataSchema, peakRss: z.number() }),
]);
export type WorkerMessage = z.infer<typeof workerMessageSchema>;
