/** What can be chosen of a Core ML package. */
import { z } from 'zod';
import type { ConvertOptions } from '../formats/coreml/features.ts';
import type { TARGETS } from '../formats/coreml/schema.ts';
import type { TargetFacts } from './target-facts.ts';

export interface CoremlOptions {
  /** The oldest system that shall load it; `auto`: the oldest since iOS 16 that has what the model needs and keeps weights in blocks. */
  readonly target: 'auto' | keyof typeof TARGETS;
  /** `auto`: float16, and float32 where activations are quantized. */
  readonly precision: 'auto' | 'float16' | 'float32';
  readonly weights: ConvertOptions['weights'];
  /** Of the first dimension of the inputs, where the model leaves it open; 0 keeps it open. */
  readonly batch: number;
  /** The most of any dimension that stays open. */
  readonly largest: number;
  /** Open dimensions by name: `sequence=64` fixes one, `sequence=64:128` allows these sizes only. */
  readonly sizes: readonly string[];
  /** The first input as a picture whose pixels are 0 to 255; `auto` takes colours, scale and bias from the preprocessing. */
  readonly image: 'none' | 'auto' | 'rgb' | 'bgr' | 'gray';
  /** Of each channel, or one for all. */
  readonly imageScale: readonly number[];
  /** Of each channel; added after the scale. */
  readonly imageBias: readonly number[];
  /** Class names of the first output; none makes no classifier. */
  readonly labels: readonly string[];
  /** For Xcode and the app; the licence is the model's own where it says one. */
  readonly author: string;
  readonly version: string;
  readonly license: string;
}

export const COREML_DEFAULTS: CoremlOptions = {
  target: 'auto',
  precision: 'auto',
  weights: 'none',
  batch: 1,
  largest: 512,
  sizes: [],
  image: 'none',
  imageScale: [1],
  imageBias: [],
  labels: [],
  author: '',
  version: '',
  license: '',
};

const schema = z.strictObject({
  target: z
    .enum(['auto', 'iOS15', 'iOS16', 'iOS17', 'iOS18', 'iOS26'])
    .describe(
      'The oldest system that shall load it; auto: the oldest since iOS 16 that has what the model needs and keeps weights in blocks.',
    ),
  precision: z
    .enum(['auto', 'float16', 'float32'])
    .describe(
      'float16 also runs on the Neural Engine, float32 does not; auto: float32 where activations are quantized.',
    ),
  weights: z
    .enum(['none', 'int8', 'int4', 'palette4', 'palette6', 'palette8'])
    .describe('How large weights are stored: int8 and palettes need iOS 16, int4 in blocks iOS 18.'),
  batch: z.number().int().min(0).max(4096).describe('Batch size where the model leaves it open; 0 keeps it open.'),
  largest: z.number().int().min(1).max(65536).describe('The most of a dimension that stays open.'),
  sizes: z
    .array(z.string().regex(/^[^=]+=[1-9]\d{0,7}(:[1-9]\d{0,7})*$/))
    .describe('Open dimensions by name: sequence=64 fixes one, sequence=64:128 allows these sizes only.'),
  image: z
    .enum(['none', 'auto', 'rgb', 'bgr', 'gray'])
    .describe('The first input as a picture instead of an array; auto as the preprocessing says.'),
  imageScale: z
    .array(z.number())
    .min(1)
    .max(4)
    .describe('Pixels, 0 to 255, are multiplied by this: one number, or one for each channel.'),
  imageBias: z.array(z.number()).max(4).describe('Added to each channel after the scale.'),
  labels: z.array(z.string()).describe('Class names of the first output.'),
  author: z.string().max(1000).describe('Author, as Xcode shows it.'),
  version: z.string().max(1000).describe('Version of the model, as Xcode shows it.'),
  license: z.string().max(10_000).describe("Licence; the model's own where this is empty."),
});

export const COREML: TargetFacts<CoremlOptions> = {
  id: 'coreml',
  title: 'Core ML',
  summary: 'An .mlpackage for iOS 15, macOS 12 and newer.',
  defaults: COREML_DEFAULTS,
  schema,
};
