/** What can be chosen of a TFLite file. */
import { z } from 'zod';
import type { TargetFacts } from './target-facts.ts';

export interface TfliteOptions {
  /** `float32`: as the model is. `float16`: weights in half the bytes. `dynamic`: weights in 8 bits, activations at run time. */
  readonly precision: 'float32' | 'float16' | 'dynamic';
}

export const TFLITE_DEFAULTS: TfliteOptions = { precision: 'float32' };

const schema = z.strictObject({
  precision: z
    .enum(['float32', 'float16', 'dynamic'])
    .describe(
      'float32: weights as they are; float16: half the bytes; dynamic: 8 bits, activations quantized at run time.',
    ),
});

export const TFLITE: TargetFacts<TfliteOptions> = {
  id: 'tflite',
  title: 'TensorFlow Lite',
  summary: 'A .tflite file for LiteRT on Android, iOS and boards.',
  defaults: TFLITE_DEFAULTS,
  schema,
};
