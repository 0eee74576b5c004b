/** Nodes and constants that stand for one node, named after it, in the forms of the model's own operator set. */
import { type Attribute, intAttribute, intsAttribute } from './attribute.ts';
import { DTYPES, type DType } from './dtype.ts';
import type { Graph } from './graph.ts';
import type { Model } from './model.ts';
import type { Tensor } from './tensor.ts';
import { scalarTensor, tensorFromInt64 } from './tensor-values.ts';
import type { Value } from './value.ts';

const END = 2 ** 31 - 1;

export class NodeBuilder {
  readonly #graph: Graph;
  readonly #opset: number;
  readonly #label: string;

  constructor(model: Model, label: string) {
    this.#graph = model.graph;
    this.#opset = model.opset;
    this.#label = label;
  }

  constant(tensor: Tensor, name: string): Value {
    return this.#graph.addInitializer(this.#graph.uniqueName(`${this.#label}/${name}`), tensor);
  }

  number(dtype: DType, value: number): Value {
    return this.constant(scalarTensor(dtype, value), 'number');
  }

  integers(values: readonly number[]): Value {
    return this.constant(tensorFromInt64(values, [values.length]), 'integers');
  }

  add(
    opType: string,
    inputs: readonly (Value | null)[],
    name: string,
    attributes: Readonly<Record<string, Attribute>> = {},
    domain = '',
  ): Value {
    const output = this.#graph.createValue(`${this.#label}/${name}`);
    this.#graph.addNode({
      opType,
      domain,
      name: output.name,
      inputs,
      outputs: [output],
      attributes: Object.entries(attributes),
    });
    return output;
  }

  gather(x: Value, indices: Tensor, axis: number, name: string): Value {
    return this.add('Gather', [x, this.constant(indices, 'indices')], name, { axis: intAttribute(axis) });
  }

  transpose(x: Value, perm: readonly number[]): Value {
    if (perm.every((axis, index) => axis === index)) return x;
    return this.add('Transpose', [x], 'transposed', { perm: intsAttribute(perm) });
  }

  /** 0 keeps the size at its place, -1 takes what is left. */
  reshape(x: Value, shape: readonly number[]): Value {
    return this.add('Reshape', [x, this.integers(shape)], 'reshaped');
  }

  unsqueeze(x: Value, axes: readonly number[]): Value {
    if (this.#opset < 13) return this.add('Unsqueeze', [x], 'unsqueezed', { axes: intsAttribute(axes) });
    return this.add('Unsqueeze', [x, this.integers(axes)], 'unsqueezed');
  }

  /** `from` to `to` of one dimension, in steps; null is its end. The operator set must be 10 or newer. */
  slice(x: Value, axis: number, from: number, to: number | null, step = 1): Value {
    const operands = [[from], [to ?? END], [axis], [step]].map((each) => this.integers(each));
    return this.add('Slice', [x, ...operands], 'part');
  }

  concat(values: readonly Value[], axis: number): Value {
    return this.add('Concat', values, 'joined', { axis: intAttribute(axis) });
  }

  cast(x: Value, dtype: DType): Value {
    return this.add('Cast', [x], 'cast', { to: intAttribute(DTYPES[dtype].code) });
  }
}
