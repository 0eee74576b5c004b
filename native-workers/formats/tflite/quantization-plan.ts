/** Which nodes run on quantized tensors; filled in by `planQuantization`. */
import type { DType } from '../../graph/dtype.ts';
import type { Node } from '../../graph/node.ts';
import type { Value } from '../../graph/value.ts';
import type { Quantization } from './ir.ts';

export interface StoredType {
  readonly dtype: DType;
  readonly quantization: Quantization;
}

export interface QuantizationPlan {
  /** Nodes whose inputs and outputs are quantized. */
  readonly nodes: ReadonlySet<Node>;
  /** How their outputs are stored. */
  readonly outputs: ReadonlyMap<Value, StoredType>;
}

export const NO_QUANTIZATION: QuantizationPlan = { nodes: new Set(), outputs: new Map() };
