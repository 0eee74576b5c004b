/** Every job that a worker process can do. A new job: its schemas in `protocol/jobs.ts`, its file here, and its line. */
import type { JobRegistry } from './serve.ts';

export const REGISTRY: JobRegistry = {
  'stage-report': async () => (await import('./stage-report.ts')).stageReport,
};
