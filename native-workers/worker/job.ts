/** What a job is inside the worker process: one file a job in this folder, registered in `registry.ts`. */
import type { JobName, JobRequest, JobResult } from '../protocol/jobs.ts';
import type { Progress } from '../protocol/messages.ts';

export interface JobContext {
  /**
   * Reports progress (latest wins) and lets a cancel through: throws `cancelled` when one was asked for.
   * Call it between steps; a native call in progress cannot be interrupted from inside.
   */
  progress(progress: Progress): Promise<void>;
  log(level: 'info' | 'warning', message: string): void;
}

export type Job<Name extends JobName> = (request: JobRequest<Name>, context: JobContext) => Promise<JobResult<Name>>;
