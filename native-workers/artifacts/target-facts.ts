/** What a target is called and what can be chosen of it: all that forms, flags and checks need, without its writer. */
import type { z } from 'zod';

export interface TargetFacts<Options extends object = object> {
  /** On the command line: `ort`, `tflite`, `coreml`. */
  readonly id: string;
  readonly title: string;
  /** One line for the studio. */
  readonly summary: string;
  readonly defaults: Options;
  readonly schema: z.ZodType<Options>;
}
