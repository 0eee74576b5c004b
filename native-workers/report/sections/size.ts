/** Where every byte of the models is: the files, the weights by dtype and by operator, the largest tensors, duplicates. */
import { z } from 'zod';
import type { InspectFacts, ModelFile } from '../../protocol/facts.ts';
import { absenceOf } from '../input.ts';
import { measured } from '../outcome.ts';
import { defineSection } from '../section.ts';

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

/** Largest tensors listed on each side; the facts hold up to 200. */
const LARGEST = 25;

export const size = defineSection(sizeSchema, (input) => {
  const { inspect, optimize } = input.facts;
  if (inspect === null) return absenceOf('inspect', input);
  const before = ledgerOf(inspect, input.manifest.source.bytes);
  const model: ModelFile | null = optimize?.model ?? null;
  const after =
    optimize === null || optimize.inspect === null || model === null ? null : ledgerOf(optimize.inspect, model.bytes);
  return measured({ unit: 'bytes', before, after, ratio: after === null ? null : after.file / before.file });
});

function ledgerOf(inspect: InspectFacts, file: number): SizeLedger {
  const duplicates = inspect.tensors.filter((tensor) => tensor.duplicateOf !== undefined);
  return {
    file,
    weights: inspect.bytes.weights,
    structure: Math.max(0, file - inspect.bytes.weights),
    parameters: inspect.parameters,
    nodes: inspect.nodes,
    byDtype: largestFirst(inspect.precision).map(([dtype, bytes]) => ({ dtype, bytes })),
    byOperator: largestFirst(inspect.bytesByOperator).map(([operator, bytes]) => ({ operator, bytes })),
    largest: inspect.tensors.slice(0, LARGEST),
    duplicates: {
      tensors: duplicates.length,
      bytes: duplicates.reduce((sum, tensor) => sum + tensor.bytes, 0),
    },
  };
}

function largestFirst(bytes: Readonly<Record<string, number>>): [string, number][] {
  return Object.entries(bytes).sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
}
