/** Which preset to start from when the user names none: what is quick on a CPU for such a model, and safe without data. */
import type { InspectFacts } from '../protocol/facts.ts';
import type { Recipe } from '../protocol/recipe.ts';
import { findPreset, PRESETS } from './presets.ts';

export interface Recommendation {
  readonly preset: Recipe;
  /** One sentence. */
  readonly reason: string;
}

/** Operators whose weights the fused dynamic INT8 kernels take. */
const MATRIX_PRODUCTS: ReadonlySet<string> = new Set(['MatMul', 'Gemm', 'Attention', 'QAttention']);

export function recommendPreset(model: InspectFacts, hasCalibration: boolean): Recommendation {
  if (model.quantized) {
    return {
      preset: findPreset('clean'),
      reason: 'the model is quantized already, and twice would only lose accuracy',
    };
  }
  const calibrated = PRESETS.find(({ steps }) => steps.some(({ pass }) => pass === 'quantize-static'));
  if (hasCalibration && calibrated !== undefined) {
    return { preset: calibrated, reason: 'calibration data is given' };
  }
  const weights = Object.entries(model.bytesByOperator);
  const total = weights.reduce((sum, [, bytes]) => sum + bytes, 0);
  const products = weights.reduce((sum, [type, bytes]) => sum + (MATRIX_PRODUCTS.has(type) ? bytes : 0), 0);
  if (products > total / 2) {
    return {
      preset: findPreset('int8-dynamic'),
      reason: 'most of its weights are in matrix products, and there is no calibration data',
    };
  }
  return {
    preset: findPreset('int8-weights'),
    reason: 'most of its weights are outside of matrix products, and there is no calibration data',
  };
}
