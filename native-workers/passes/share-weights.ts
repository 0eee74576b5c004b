/**
 * Keeps one of the weights that are equal, byte for byte, and lets all readers read it.
 *
 * Notes
 * - Content is compared by SHA-256, streamed, and only among weights of the same type, shape and first bytes: of a model without
 *   such pairs hardly anything is read.
 * - Small tensors are left alone by default. They save nothing, and shared biases tie layers together that pruning and
 *   quantization could otherwise treat apart (glyphs-resnet: three pairs of equal batch-norm biases).
 * - ONNX Runtime shares only constants of up to eight elements when it loads a model (constant_sharing.cc), so equal weights
 *   cost memory as well as disk until they are shared in the file.
 */
import { z } from 'zod';
import type { Graph } from '../graph/graph.ts';
import { hashTensor } from '../graph/hash.ts';
import type { Tensor } from '../graph/tensor.ts';
import type { Value } from '../graph/value.ts';
import { allGraphs, Counter } from './edit.ts';
import { definePass, type PassContext, type PassNote } from './pass.ts';

export interface ShareWeightsOptions {
  /** Smallest tensor to share, in bytes; 0 or more. */
  readonly minBytes: number;
}

export const SHARE_WEIGHTS_DEFAULTS: ShareWeightsOptions = { minBytes: 1024 };

const optionsSchema = z.strictObject({
  minBytes: z.number().int().min(0).describe('Smallest tensor to share, in bytes.'),
});

const FIRST_BYTES = 256;

export const shareWeights = definePass<ShareWeightsOptions>(
  {
    id: 'share-weights',
    title: 'Share equal weights',
    summary: 'Stores weights that are equal once.',
    family: 'clean',
    lossy: false,
    needs: [],
  },
  SHARE_WEIGHTS_DEFAULTS,
  optionsSchema,
  async (model, options, context) => {
    const counts = new Counter();
    const notes: PassNote[] = [];
    for (const graph of allGraphs(model.graph)) await shareInGraph(graph, options, context, counts, notes);
    if (counts.total === 0) return { status: 'unchanged', reason: 'No two weights are equal.' };
    return { status: 'changed', counts: counts.counts, notes };
  },
);

/** Shares the equal initializers of one graph, not counting its subgraphs. */
export async function shareInGraph(
  graph: Graph,
  options: ShareWeightsOptions,
  context: PassContext,
  counts: Counter,
  notes: PassNote[],
): Promise<void> {
  const outputs = new Set(graph.outputs);
  const inputs = new Set(graph.inputs);
  const alike = new Map<string, Value[]>();
  for (const value of graph.initializers) {
    if (value.tensor === null || inputs.has(value) || outputs.has(value)) continue;
    if (value.tensor.bytes < options.minBytes) continue;
    const key = `${value.tensor.dtype} ${value.tensor.shape.join()} ${firstBytes(value.tensor)}`;
    alike.set(key, [...(alike.get(key) ?? []), value]);
  }
  const groups = [...alike.values()].filter((group) => group.length > 1);
  for (const [index, group] of groups.entries()) {
    await context.progress(index, groups.length, 'comparing weights');
    const kept = new Map<string, Value>();
    for (const value of group) {
      if (value.tensor === null) continue;
      const hash = hashTensor(value.tensor);
      const first = kept.get(hash);
      if (first === undefined) {
        kept.set(hash, value);
        continue;
      }
      graph.replaceValue(value, first);
      graph.removeInitializer(value);
      counts.add('weights shared');
      counts.add('bytes saved', value.tensor.bytes);
      notes.push({ message: `${value.name} equals ${first.name}.` });
    }
  }
}

/** Enough to tell trained weights apart without reading them. */
function firstBytes(tensor: Tensor): string {
  for (const piece of tensor.data.chunks(FIRST_BYTES)) return Buffer.from(piece).toString('base64');
  return '';
}
