/** What can be chosen of a TFLite file. */
import { z } from 'zod';
import type { TargetFacts } from './target-facts.ts';

export interface TfliteOptions {
  /**
   * `float32`: as the model is. `float16`: weights in half the bytes. `dynamic`: weights in 8 bits, activations quantized at run
   * time; `dynamic-int4` and `dynamic-int4-blocks`: those of products in 4 bits, by output or by blocks of 32.
   */
  readonly precision: 'float32' | 'float16' | 'dynamic' | 'dynamic-int4' | 'dynamic-int4-blocks';
}

export const TFLITE_DEFAULTS: TfliteOptions = { precision: 'float32' };

const schema = z.strictObject({
  precision: z
    .enum(['float32', 'float16', 'dynamic', 'dynamic-int4', 'dynamic-int4-blocks'])
    .describe(
      'float32: weights as they are; float16: half the bytes; dynamic: 8 bits, activations quantized at run time; dynamic-int4: products in 4 bits; dynamic-int4-blocks: a scale for each 32 of them.',
    ),
});

export const TFLITE: TargetFacts<TfliteOptions> = {
  id: 'tflite',
  title: 'TensorFlow Lite',
  summary: 'A .tflite file for LiteRT on Android, iOS and boards.',
  defaults: TFLITE_DEFAULTS,
  schema,
};
