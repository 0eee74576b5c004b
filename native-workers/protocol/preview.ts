/** What a model will really be fed: a few samples of a data set after all preprocessing, as something to look at. */
import { z } from 'zod';
import { noteSchema } from './facts.ts';

export const tokenPreviewSchema = z.strictObject({
  id: z.number(),
  /** What the tokenizer calls it, spaces and parts of characters as they are; null for an id that it does not know. */
  text: z.string().nullable(),
  /** The mask leaves it out: it only fills the text up. */
  masked: z.boolean(),
});
export type TokenPreview = z.infer<typeof tokenPreviewSchema>;

export const inputPreviewSchema = z.strictObject({
  name: z.string(),
  dtype: z.string(),
  /** Of one sample, without the batch axis. */
  shape: z.array(z.number()),
  /** Of the finite elements; null where there are none, as for text. */
  minimum: z.number().nullable(),
  maximum: z.number().nullable(),
  mean: z.number().nullable(),
  /** Elements that are NaN or infinite. */
  notFinite: z.number(),
  /** The picture that the tensor stands for, normalisation undone, as a `data:` address of a PNG. */
  picture: z.string().optional(),
  /** What the label marks in the picture, whose height and width these are: boxes as x1, y1, x2, y2, shares of it. */
  marks: z
    .strictObject({
      height: z.number(),
      width: z.number(),
      boxes: z.array(
        z.strictObject({ name: z.string(), box: z.tuple([z.number(), z.number(), z.number(), z.number()]) }),
      ),
      /** A colour a class, over the picture: a `data:` address of a PNG. */
      mask: z.string().optional(),
    })
    .optional(),
  /** The normalisation is not known: the smallest number is black in the picture, and the largest white. */
  stretched: z.boolean().optional(),
  /** For sounds: lowest and highest value of each slice of time, at most 400 slices. */
  waveform: z.array(z.tuple([z.number(), z.number()])).optional(),
  /** How long the sound is, where its rate is known. */
  seconds: z.number().optional(),
  /** For everything else: the first elements, at most 64; null for one that is NaN or infinite. */
  values: z.array(z.union([z.number(), z.string(), z.null()])).optional(),
  /** Names of the columns that the values come from, where they come from columns. */
  columns: z.array(z.string()).optional(),
  /** For a tokenized text, in place of `values`: the first tokens, at most 256. */
  tokens: z.array(tokenPreviewSchema).optional(),
  /** The text that these tokens stand for. */
  text: z.string().optional(),
});
export type InputPreview = z.infer<typeof inputPreviewSchema>;

export const samplePreviewSchema = z.strictObject({
  sample: z.string(),
  /** The label as text: a class name where classes have names. */
  label: z.string().nullable(),
  group: z.string().nullable(),
  inputs: z.array(inputPreviewSchema),
});
export type SamplePreview = z.infer<typeof samplePreviewSchema>;

export const dataPreviewSchema = z.strictObject({
  name: z.string(),
  kind: z.string(),
  samples: z.number(),
  labelled: z.boolean(),
  classes: z.array(z.string()).nullable(),
  /** As it is done, defaults filled in. */
  preprocess: z.unknown(),
  notes: z.array(noteSchema),
  skipped: z.array(z.strictObject({ sample: z.string(), reason: z.string() })),
  /** Those of the chosen samples that could be read. */
  first: z.array(samplePreviewSchema),
});
export type DataPreview = z.infer<typeof dataPreviewSchema>;
