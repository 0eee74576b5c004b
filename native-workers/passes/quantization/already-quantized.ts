/** Refuses models that came quantized: quantizing twice adds the errors up and gains nothing. */
import type { Model } from '../../graph/model.ts';
import { HoneError } from '../../protocol/errors.ts';

const QUANTIZED_OPERATORS =
  /^(QuantizeLinear|DequantizeLinear|QLinear\w+|QGemm|QAttention|MatMulInteger\w*|ConvInteger|DynamicQuantize\w+|MatMulNBits|GatherBlockQuantized)$/;

/** Passes of this folder that quantize, each only what the earlier ones left: one recipe may hold several. */
const QUANTIZING_PASSES = /^quantize-/;

/**
 * Throws `model-already-quantized` for a model that somebody quantized before this recipe. `force`: the pass's option of that
 * name; null where it has none.
 */
export function refuseQuantized(model: Model, force: boolean | null, earlier: readonly string[]): void {
  if (force === true || earlier.some((pass) => QUANTIZING_PASSES.test(pass))) return;
  for (const node of model.graph.allNodes()) {
    if (!QUANTIZED_OPERATORS.test(node.opType)) continue;
    const way = force === null ? 'take the float model that it was made from' : 'the option force goes on all the same';
    throw new HoneError(
      'model-already-quantized',
      `The node ${node.label} shows that the model is quantized already; ${way}.`,
      { where: { node: node.label } },
    );
  }
}
