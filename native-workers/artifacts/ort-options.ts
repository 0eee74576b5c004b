/** What can be chosen of files in ORT format. */
import { z } from 'zod';
import type { TargetFacts } from './target-facts.ts';

export interface OrtOptions {
  /** `fixed`: fully optimised, for CPUs. `runtime`: optimised when loaded, for NNAPI and Core ML. `all`: a file of each. */
  readonly style: 'fixed' | 'runtime' | 'all';
  /**
   * Processor the quantized operators are laid out for: phones are ARM, emulators and desktops x86-64 (`amd64`, as ONNX Runtime calls
   * it). `all`: files for each; a model without quantized operators has one file for both.
   */
  readonly platform: 'arm' | 'amd64' | 'all';
}

/** As ONNX Runtime's own converter does, both styles; and what an app needs that is also run in an emulator. */
export const ORT_DEFAULTS: OrtOptions = { style: 'all', platform: 'all' };

const schema = z.strictObject({
  style: z
    .enum(['fixed', 'runtime', 'all'])
    .describe(
      'fixed: fully optimised, for CPUs; runtime: optimised when loaded, for NNAPI and Core ML; all: a file of each.',
    ),
  platform: z
    .enum(['arm', 'amd64', 'all'])
    .describe(
      'Processor that quantized operators are laid out for: arm for phones, amd64 for emulators and desktops; all: files for each.',
    ),
});

export const ORT: TargetFacts<OrtOptions> = {
  id: 'ort',
  title: 'ONNX Runtime Mobile',
  summary: 'Files in ORT format with the lists of operators for a reduced build.',
  defaults: ORT_DEFAULTS,
  schema,
};
