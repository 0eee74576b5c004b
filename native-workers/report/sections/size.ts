/** Where every byte of the models is: the files, the weights by dtype and by operator, the largest tensors, duplicates. */
import { z } from 'zod';

const ledgerTensorSchema = z.strictObject({
  name: z.string(),
  dtype: z.string(),
  shape: z.array(z.number()),
  bytes: z.number(),
  usedBy: z.array(z.string()),
  duplicateOf: z.string().optional(),
});

const ledgerSchema = z.strictObject({
  /** The model with its external data. */
  file: z.number(),
  weights: z.number(),
  /** The rest of the file: graph, names, padding. */
  structure: z.number(),
  parameters: z.number(),
  nodes: z.number(),
  /** Weight bytes, largest first. */
  byDtype: z.array(z.strictObject({ dtype: z.string(), bytes: z.number() })),
  byOperator: z.array(z.strictObject({ operator: z.string(), bytes: z.number() })),
  largest: z.array(ledgerTensorSchema),
  /** Tensors (of those listed) whose bytes occur elsewhere in the file too, and what they take. */
  duplicates: z.strictObject({ tensors: z.number(), bytes: z.number() }),
});

export const sizeSchema = z.strictObject({
  unit: z.literal('bytes'),
  before: ledgerSchema,
  /** null when no model was made. */
  after: ledgerSchema.nullable(),
  /** Of the files, after/before. */
  ratio: z.number().nullable(),
});
export type SizeSection = z.infer<typeof sizeSchema>;
export type SizeLedger = SizeSection['before'];
