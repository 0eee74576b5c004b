/** What can be chosen of an ORT-format file. */
import { z } from 'zod';
import type { TargetFacts } from './target-facts.ts';

export interface OrtOptions {
  /** `fixed`: fully optimised, for CPUs. `runtime`: optimised when loaded, for NNAPI and Core ML. */
  readonly style: 'fixed' | 'runtime';
  /** Processor the quantized operators are laid out for. */
  readonly platform: 'arm' | 'amd64';
}

export const ORT_DEFAULTS: OrtOptions = { style: 'fixed', platform: 'arm' };

const schema = z.strictObject({
  style: z
    .enum(['fixed', 'runtime'])
    .describe('fixed: fully optimised, for CPUs; runtime: optimised when loaded, for NNAPI and Core ML.'),
  platform: z.enum(['arm', 'amd64']).describe('Processor that quantized operators are laid out for.'),
});

export const ORT: TargetFacts<OrtOptions> = {
  id: 'ort',
  title: 'ONNX Runtime Mobile',
  summary: 'An .ort file with the lists of operators for a reduced build.',
  defaults: ORT_DEFAULTS,
  schema,
};
