/**
 * Float16: half the size. Mode `weights` stores weights in half precision and casts them back, mode `compute` runs the graph
 * in half precision as well.
 *
 * Which one: x86 CPUs have no float16 kernels in ONNX Runtime. It puts casts around every node of a float16 graph there, and
 * the model runs at the speed of float32 or below. In mode `weights` it folds the casts when it loads the model, so the speed
 * is exactly that of float32; that is the default. Mode `compute` is for GPUs, NPUs and ARM.
 *
 * What is left in float32, each with a note: weights beyond 65504, the largest half; weights of which more than `maxUnderflow`
 * would become zero (below 2^-25 a value rounds to zero, the smallest half being 2^-24 = 5.96e-8); and in mode `compute` nodes
 * whose inputs or outputs came within a factor of two of 65504 on the calibration data, operators that lose too much
 * (`SENSITIVE`), operators of other domains, and nodes with subgraphs.
 *
 * Sources: onnxruntime/transformers/float16.py (bounds and block list), ModelOpt AutoCast (ranges from data). The widely used
 * onnxconverter-common clamps every weight into [1e-7, 1e4] and so changes those beyond; nothing is clamped here.
 */
import { z } from 'zod';
import { intAttribute } from '../graph/attribute.ts';
import { DTYPES } from '../graph/dtype.ts';
import type { Graph } from '../graph/graph.ts';
import type { Model } from '../graph/model.ts';
import { tensorType } from '../graph/types.ts';
import type { Value } from '../graph/value.ts';
import { allGraphs, allOutputs, Counter } from './edit.ts';
import { computeInHalf } from './float16/compute.ts';
import { HalfWeights } from './float16/half-weights.ts';
import { definePass, type PassContext, type PassNote } from './pass.ts';

export interface Float16Options {
  /** What becomes float16: the stored weights only, or the computation too. */
  readonly mode: 'weights' | 'compute';
  /** In mode `compute`: keeps the types of the model's inputs and outputs. */
  readonly keepTypes: boolean;
  /** In mode `weights`: smallest tensor to convert, in elements; 1 or more. */
  readonly minElements: number;
  /** Largest share of a tensor's non-zero elements that may become zero; 0 to 1. */
  readonly maxUnderflow: number;
  /** Names of nodes, or operator types, that stay float32. */
  readonly exclude: readonly string[];
}

export const FLOAT16_DEFAULTS: Float16Options = {
  mode: 'weights',
  keepTypes: true,
  minElements: 256,
  maxUnderflow: 0.01,
  exclude: [],
};

const optionsSchema = z.strictObject({
  mode: z
    .enum(['weights', 'compute'])
    .describe('What becomes float16: the stored weights only, or the computation too.'),
  keepTypes: z.boolean().describe("In mode compute: keep the types of the model's inputs and outputs."),
  minElements: z.int().min(1).describe('In mode weights: smallest tensor to convert, in elements.'),
  maxUnderflow: z
    .number()
    .min(0)
    .max(1)
    .describe("Largest share of a tensor's non-zero elements that may become zero."),
  exclude: z.array(z.string()).describe('Names of nodes, or operator types, that stay float32.'),
});

export const float16 = definePass<Float16Options>(
  {
    id: 'float16',
    title: 'Float16',
    summary: 'Stores weights in half precision, and where asked computes in it.',
    family: 'quantize',
    lossy: true,
    needs: [],
  },
  FLOAT16_DEFAULTS,
  optionsSchema,
  async (model, options, context) => {
    const counts = new Counter();
    const notes: PassNote[] = [];
    if (options.mode === 'compute') await computeInHalf(model, options, context, counts, notes);
    else await storeInHalf(model, options, context, counts, notes);
    if (counts.total === 0) return { status: 'unchanged', reason: 'Nothing in float32 can become float16.', notes };
    return { status: 'changed', counts: counts.counts, notes };
  },
);

/** Stores float32 weights as float16, with a Cast that gives all their readers float32 again. */
export async function storeInHalf(
  model: Model,
  options: Float16Options,
  context: PassContext,
  counts: Counter,
  notes: PassNote[],
): Promise<void> {
  const outputs = allOutputs(model.graph);
  const exclude = new Set(options.exclude);
  const half = new HalfWeights(options.maxUnderflow, counts, notes);
  for (const graph of allGraphs(model.graph)) {
    const inputs = new Set(graph.inputs);
    const weights = [...graph.initializers].filter(
      (value) => value.tensor?.dtype === 'float32' && !inputs.has(value) && !outputs.has(value),
    );
    for (const [index, value] of weights.entries()) {
      await context.progress(index, weights.length, `reading ${value.name}`);
      if (value.tensor === null || value.tensor.size < options.minElements) continue;
      if ([...value.consumers].some((node) => exclude.has(node.name) || exclude.has(node.opType))) continue;
      const tensor = half.tensorOf(value);
      if (tensor === null) continue;
      const stored = graph.addInitializer(graph.uniqueName(`${value.name}_float16`), tensor);
      castBack(graph, stored, value);
      counts.add('weights to float16');
    }
  }
}

/** Makes `value`, a weight until now, the output of a Cast of the stored one: its name and readers stay. */
function castBack(graph: Graph, stored: Value, value: Value): void {
  graph.initializers.delete(value);
  value.tensor = null;
  value.type = tensorType('float32', stored.tensor?.shape ?? null);
  graph.addNode({
    opType: 'Cast',
    name: `${value.name}_Cast`,
    inputs: [stored],
    outputs: [value],
    attributes: [['to', intAttribute(DTYPES.float32.code)]],
  });
}
