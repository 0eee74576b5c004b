import type { Graph } from '../../graph/graph.ts';
import { NO_QUANTIZATION, type QuantizationPlan } from './quantization-plan.ts';

export function planQuantization(_graph: Graph): QuantizationPlan {
  return NO_QUANTIZATION;
}
