/** Types of values: what ONNX's `TypeProto` can say, as plain data. */
import type { DType } from './dtype.ts';

/** A known size, a symbol such as `batch`, or null when nothing is known. */
export type Dim = number | string | null;

export interface TensorType {
  readonly kind: 'tensor' | 'sparse';
  /** null when the model does not say. */
  readonly dtype: DType | null;
  /** null when the rank is unknown. */
  readonly shape: readonly Dim[] | null;
  /** What the value means (`IMAGE`) and what each dimension does (`DATA_CHANNEL`), where an exporter says; see ONNX's TypeDenotation.md. */
  readonly denotation?: string;
  readonly dimDenotations?: readonly string[];
}

export type ValueType =
  | TensorType
  | { readonly kind: 'sequence' | 'optional'; readonly element: ValueType | null }
  | { readonly kind: 'map'; readonly key: DType | null; readonly value: ValueType | null }
  | { readonly kind: 'opaque'; readonly bytes: Uint8Array };

export function tensorType(dtype: DType | null, shape: readonly Dim[] | null): TensorType {
  return { kind: 'tensor', dtype, shape };
}

/** The shape as numbers, or null when a dimension is symbolic, unknown, or the rank is. */
export function staticShape(type: ValueType | null): readonly number[] | null {
  if (type === null || (type.kind !== 'tensor' && type.kind !== 'sparse') || type.shape === null) return null;
  return type.shape.every((dim): dim is number => typeof dim === 'number') ? type.shape : null;
}
