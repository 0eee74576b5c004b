/** The model files of the run with their hashes, and which was made from which. */
import { z } from 'zod';
import type { ModelFile } from '../../protocol/facts.ts';
import { modelFileSchema } from '../../protocol/facts.ts';
import { measured } from '../outcome.ts';
import { defineSection } from '../section.ts';

export const modelsSchema = z.strictObject({
  unit: z.literal('bytes'),
  /** The source first, then what was made, parents before children. */
  files: z.array(modelFileSchema.extend({ depth: z.number() })).min(1),
});
export type ModelsSection = z.infer<typeof modelsSchema>;

export const models = defineSection(modelsSchema, ({ manifest }) => {
  const { path, bytes, sha256, name } = manifest.source;
  const source = { id: 'source', path, bytes, sha256, parent: null, label: name };
  const others = manifest.models.filter((model) => model.id !== 'source');
  return measured({ unit: 'bytes', files: withChildren(source, others, 0) });
});

type Row = ModelsSection['files'][number];

/** Children after their parent; a model whose parent is not listed counts as made from the source. */
function withChildren(parent: ModelFile, others: readonly ModelFile[], depth: number): Row[] {
  const known = new Set(others.map((model) => model.id));
  const isChild = (model: ModelFile): boolean =>
    model.parent === parent.id || (depth === 0 && (model.parent === null || !known.has(model.parent)));
  const rest = others.filter((model) => !isChild(model));
  return [{ ...parent, depth }, ...others.filter(isChild).flatMap((child) => withChildren(child, rest, depth + 1))];
}
