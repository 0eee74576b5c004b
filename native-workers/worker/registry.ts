/** Every job that a worker process can do. A new job: its schemas in `protocol/jobs.ts`, its file here, and its line. */
import type { JobRegistry } from './serve.ts';

export const REGISTRY: JobRegistry = {
  inspect: async () => (await import('./inspect.ts')).inspect,
  'stage-inspect': async () => (await import('./stage-inspect.ts')).stageInspect,
  'stage-optimize': async () => (await import('./stage-optimize.ts')).stageOptimize,
  evaluate: async () => (await import('./evaluate.ts')).evaluate,
  'stage-evaluate': async () => (await import('./stage-evaluate.ts')).stageEvaluate,
  'preview-data': async () => (await import('./preview-data.ts')).previewData,
  benchmark: async () => (await import('./benchmark.ts')).benchmark,
  'stage-benchmark': async () => (await import('./stage-benchmark.ts')).stageBenchmark,
  package: async () => (await import('./package.ts')).packageModel,
  'stage-package': async () => (await import('./stage-package.ts')).stagePackage,
  doctor: async () => (await import('./doctor.ts')).doctor,
  'stage-report': async () => (await import('./stage-report.ts')).stageReport,
};
