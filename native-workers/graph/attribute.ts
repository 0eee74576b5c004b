/** Attributes of nodes: ONNX's `AttributeProto` as plain data. */
import type { Graph } from './graph.ts';
import type { Tensor } from './tensor.ts';
import type { ValueType } from './types.ts';

export type Attribute = AttributeValue & { readonly docString?: string };

export type AttributeValue =
  | { readonly type: 'float'; readonly value: number }
  | { readonly type: 'int'; readonly value: bigint }
  | { readonly type: 'string'; readonly value: Uint8Array }
  | { readonly type: 'tensor'; readonly value: Tensor; readonly name?: string }
  | { readonly type: 'graph'; readonly value: Graph }
  | { readonly type: 'type'; readonly value: ValueType }
  | { readonly type: 'floats'; readonly value: readonly number[] }
  | { readonly type: 'ints'; readonly value: readonly bigint[] }
  | { readonly type: 'strings'; readonly value: readonly Uint8Array[] }
  | { readonly type: 'tensors'; readonly value: readonly Tensor[] }
  | { readonly type: 'graphs'; readonly value: readonly Graph[] }
  | { readonly type: 'types'; readonly value: readonly ValueType[] }
  /** Inside a function body: the value of the function's attribute of that name, of the type with that code. */
  | { readonly type: 'reference'; readonly value: string; readonly typeCode: number }
  /** A kind that this version does not know (sparse tensors among them): the whole `AttributeProto`, written back as it was. */
  | { readonly type: 'opaque'; readonly value: Uint8Array; readonly typeCode: number };

export const intAttribute = (value: number): Attribute => ({ type: 'int', value: BigInt(value) });
export const intsAttribute = (values: readonly number[]): Attribute => ({ type: 'ints', value: values.map(BigInt) });
export const floatAttribute = (value: number): Attribute => ({ type: 'float', value });
export const floatsAttribute = (value: readonly number[]): Attribute => ({ type: 'floats', value });
export const stringAttribute = (text: string): Attribute => ({ type: 'string', value: new TextEncoder().encode(text) });
export const stringsAttribute = (texts: readonly string[]): Attribute => ({
  type: 'strings',
  value: texts.map((text) => new TextEncoder().encode(text)),
});
export const tensorAttribute = (value: Tensor): Attribute => ({ type: 'tensor', value });
