/** An ML Program in memory: one function of operations on named values, and the features by which apps see it. */

import type { TensorData } from '../../graph/tensor.ts';
import { MemoryData } from '../../graph/tensor-data.ts';
import type { MilDType } from './schema.ts';

/** A size, or null for one that is known only when the model runs. */
export type MilDim = number | null;

export interface MilType {
  readonly dtype: MilDType;
  readonly shape: readonly MilDim[];
  /** A list of scalars of `dtype` (class labels), or a dictionary from them to doubles (probabilities), instead of a tensor. */
  readonly container?: 'list' | 'dictionary';
}

/** Content of a constant: little-endian packed bytes (one byte for a bool), or texts. */
export interface MilConstant {
  readonly type: MilType;
  readonly data: TensorData;
  readonly strings: readonly string[] | null;
}

/** A value of the function. One with a constant has no operation in memory: the writer puts its `const` before the first reader. */
export class MilValue {
  name: string;
  type: MilType;
  readonly constant: MilConstant | null;

  constructor(name: string, type: MilType, constant: MilConstant | null = null) {
    this.name = name;
    this.type = type;
    this.constant = constant;
  }
}

/** What an operand is bound to: a value by its name, or content given on the spot. */
export type MilArgument = MilValue | MilConstant;

export function isValue(argument: MilArgument): argument is MilValue {
  return argument instanceof MilValue;
}

export interface MilOperation {
  readonly type: string;
  /** Operands and parameters by name; only `values` of concat, stack and einsum have several. */
  readonly inputs: Map<string, readonly MilArgument[]>;
  readonly outputs: readonly MilValue[];
  /** Label of the source's node that it was made for; empty for what belongs to none. */
  readonly source?: string;
  /** Computes in float32 also where the program computes in float16. */
  readonly precise?: boolean;
}

export interface MilFunction {
  /** `CoreML5` to `CoreML9`. */
  readonly opset: string;
  readonly inputs: MilValue[];
  readonly operations: MilOperation[];
  readonly outputs: MilValue[];
}

export interface ImageFeature {
  readonly width: number;
  readonly height: number;
  readonly color: 'gray' | 'rgb' | 'bgr';
  /** What the program makes of pixels from 0 to 255. */
  readonly pixels: { readonly scale: readonly number[]; readonly bias: readonly number[] };
}

/** An input or output as apps see it. */
export interface MilFeature {
  readonly name: string;
  readonly type: MilType;
  /** The least and most of each dimension, where the shape is flexible. */
  readonly range?: readonly (readonly [number, number])[];
  /** The shapes that it may have, the usual one first, where only some sizes are allowed. */
  readonly enumerated?: readonly (readonly number[])[];
  readonly description?: string;
  readonly image?: ImageFeature;
}

export interface MilPackage {
  readonly specification: number;
  readonly main: MilFunction;
  readonly inputs: readonly MilFeature[];
  readonly outputs: readonly MilFeature[];
  /** Of a classifier: its outputs with the class and with the probabilities. */
  readonly predicted?: { readonly label: string; readonly probabilities: string };
  readonly metadata: {
    readonly description: string;
    readonly version: string;
    readonly author: string;
    readonly license: string;
  };
}

const NOTHING = new MemoryData(new Uint8Array(0));

export function constantOf(type: MilType, data: TensorData): MilConstant {
  return { type, data, strings: null };
}

/** A text, rank 0. */
export function stringConstant(text: string): MilConstant {
  return { type: { dtype: 'string', shape: [] }, data: NOTHING, strings: [text] };
}

/** A list of texts, as class labels are. */
export function stringList(texts: readonly string[]): MilConstant {
  return { type: { dtype: 'string', shape: [texts.length], container: 'list' }, data: NOTHING, strings: texts };
}
