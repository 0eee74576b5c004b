/**
 * Builds the ONNX graph of a Keras model. Keras works with channels last and ONNX with channels first: each tensor can have both
 * forms, made from each other when asked, so that a transpose stands only where a layout is really changed.
 */
import { type Attribute, intsAttribute } from '../../../graph/attribute.ts';
import type { DType } from '../../../graph/dtype.ts';
import { Graph } from '../../../graph/graph.ts';
import type { Node } from '../../../graph/node.ts';
import type { Tensor } from '../../../graph/tensor.ts';
import { tensorFromFloat32, tensorFromInt64 } from '../../../graph/tensor-values.ts';
import { type Dim, tensorType } from '../../../graph/types.ts';
import { Value } from '../../../graph/value.ts';
import { HoneError } from '../../../protocol/errors.ts';

/** 'keras': the order of the model's own tensors. 'first': the last dimension moved to position 1. */
export type Layout = 'keras' | 'first';

/** A size, or null where the model leaves it free. */
export type Size = number | null;

/** A tensor of the Keras model: its shape as Keras has it, batch included, and its values by layout. */
export interface KerasTensor {
  readonly shape: readonly Size[];
  readonly dtype: DType;
  readonly forms: Map<Layout, Value>;
}

/** A constant of more elements than this, which the model only describes, is taken for hostile. */
const MOST_CONSTANT = 1 << 24;

const MOST_CALLS = 20_000;

export class GraphBuilder {
  readonly graph: Graph;
  readonly path: string;
  #layer = '';
  #calls = 0;
  #made: Node[] = [];
  /** What was made under the very name of its layer. */
  readonly #results: Map<string, Value> = new Map();
  /** How often a name was given to a node already: ONNX Runtime wants each once. */
  readonly #nodeNames: Map<string, number> = new Map();
  readonly #valueNames: Map<string, number> = new Map();

  constructor(name: string, path: string) {
    this.graph = new Graph(name);
    this.path = path;
  }

  /** Models in models, each called twice, are many more calls than the file is long. */
  countCall(): void {
    if (++this.#calls > MOST_CALLS) throw this.corrupt('is called more often than any model would.');
  }

  /**
   * Runs `make`; the nodes it adds belong to the layer `name`. The first that is more than a change of layout gets the layer's
   * name, the others have their operator behind it.
   */
  inLayer<Result>(name: string, make: () => Result): Result {
    const [outerLayer, outerMade] = [this.#layer, this.#made];
    this.#layer = name;
    this.#made = [];
    try {
      const result = make();
      const main = this.#made.find(({ opType }) => opType !== 'Transpose' && opType !== 'Reshape') ?? this.#made[0];
      for (const node of this.#made)
        node.name = counted(node === main ? name : `${name}/${node.opType}`, this.#nodeNames);
      return result;
    } finally {
      this.#layer = outerLayer;
      this.#made = outerMade;
    }
  }

  input(name: string, shape: readonly Size[], dtype: DType): KerasTensor {
    const dims = shape.map((size, axis): Dim => size ?? (axis === 0 ? 'batch' : `${name}_${axis}`));
    const value = this.graph.addInput(this.graph.uniqueName(name), tensorType(dtype, dims));
    return { shape, dtype, forms: new Map([['keras', value]]) };
  }

  /** An output of the graph, under the name of its layer. */
  output(name: string, tensor: KerasTensor): void {
    const { graph } = this;
    const value = this.inLayer(`${name}/output`, () => {
      const own = this.value(tensor, 'keras');
      return own.producer === null || graph.outputs.includes(own) ? this.op('Identity', [own]) : own;
    });
    const holder = this.#results.get(name);
    if (holder === value) value.name = name;
    else if (holder === undefined || graph.outputs.includes(holder)) value.name = graph.uniqueName(name);
    else {
      // Another value of the layer, such as its form with channels first, has had its name until here.
      holder.name = graph.uniqueName(`${name}/inner`);
      value.name = name;
    }
    value.type = tensorType(tensor.dtype, dimsOf(tensor.shape));
    graph.outputs.push(value);
  }

  has(tensor: KerasTensor, layout: Layout): boolean {
    return tensor.forms.has(layout);
  }

  /** The value in a layout; a transpose is added when it is not there yet. Tensors of less than three dimensions have one layout. */
  value(tensor: KerasTensor, layout: Layout): Value {
    const rank = tensor.shape.length;
    const wanted = rank < 3 ? 'keras' : layout;
    const known = tensor.forms.get(wanted);
    if (known !== undefined) return known;
    const other = tensor.forms.get(wanted === 'first' ? 'keras' : 'first');
    if (other === undefined) throw new HoneError('internal', 'A tensor has no value.');
    const made = this.op('Transpose', [other], {
      perm: intsAttribute(wanted === 'first' ? toFirst(rank) : toLast(rank)),
    });
    tensor.forms.set(wanted, made);
    return made;
  }

  /** What a layer made: `shape` in the order of Keras, whatever the layout of the value. */
  result(value: Value, shape: readonly Size[], layout: Layout = 'keras', dtype: DType = 'float32'): KerasTensor {
    const kept = shape.length < 3 ? 'keras' : layout;
    if (value.producer !== null) {
      value.name = this.#valueName(this.#layer);
      if (value.name === this.#layer) this.#results.set(value.name, value);
      const dims = dimsOf(shape);
      value.type = tensorType(dtype, kept === 'keras' ? dims : toFirst(shape.length).map((axis) => dims[axis] ?? null));
    }
    return { shape, dtype, forms: new Map([[kept, value]]) };
  }

  op(opType: string, inputs: readonly (Value | null)[], attributes: Record<string, Attribute> = {}): Value {
    const [output] = this.ops(opType, inputs, 1, attributes);
    return output as Value;
  }

  /** A node of several outputs. */
  ops(
    opType: string,
    inputs: readonly (Value | null)[],
    count: number,
    attributes: Record<string, Attribute> = {},
  ): Value[] {
    const outputs = Array.from({ length: count }, () => new Value(this.#valueName(`${this.#layer}/${opType}`)));
    const node = this.graph.addNode({ opType, inputs, outputs, attributes: Object.entries(attributes) });
    this.#made.push(node);
    return outputs;
  }

  /** A name for a value; counted here, since the graph tries one number after the other. */
  #valueName(hint: string): string {
    return this.graph.uniqueName(counted(hint, this.#valueNames));
  }

  /** A weight, named after its layer and what it is there. */
  weight(name: string, tensor: Tensor): Value {
    return this.graph.addInitializer(this.#valueName(`${this.#layer}/${name}`), tensor);
  }

  float(value: number): Value {
    return this.floats([value], []);
  }

  floats(values: ArrayLike<number>, shape: readonly number[] = [values.length]): Value {
    return this.weight('constant', tensorFromFloat32(Float32Array.from(values), shape));
  }

  int64s(values: readonly number[], shape: readonly number[] = [values.length]): Value {
    return this.weight('sizes', tensorFromInt64(values, shape));
  }

  /** `value` as many times as `count` says. Throws `tensor-too-large` for a count that no layer has. */
  filled(value: number, count: number): Float32Array {
    if (count > MOST_CONSTANT) {
      throw new HoneError('tensor-too-large', `The layer ${this.#layer} would need a constant of ${count} elements.`, {
        where: { file: this.path, node: this.#layer },
      });
    }
    return new Float32Array(count).fill(value);
  }

  /** Sizes for Reshape: -1 for the one that is free, or 0 to copy those that stand where they were. */
  reshape(value: Value, shape: readonly Size[]): Value {
    const free = shape.filter((size) => size === null).length;
    const sizes = shape.map((size) => size ?? (free === 1 ? -1 : 0));
    return this.op('Reshape', [value, this.int64s(sizes)]);
  }

  unsupported(reason: string): HoneError {
    return new HoneError('operator-unsupported', `The layer ${this.#layer} ${reason}`, {
      where: { file: this.path, node: this.#layer },
    });
  }

  corrupt(reason: string): HoneError {
    return new HoneError('file-corrupt', `The layer ${this.#layer} ${reason}`, {
      where: { file: this.path, node: this.#layer },
    });
  }
}

/** The name itself the first time, then with a number that it has not had. */
function counted(hint: string, counts: Map<string, number>): string {
  const count = counts.get(hint) ?? 0;
  counts.set(hint, count + 1);
  return count === 0 ? hint : counted(`${hint}_${count}`, counts);
}

/** NHWC to NCHW for any rank. */
export function toFirst(rank: number): number[] {
  return Array.from({ length: rank }, (_, axis) => (axis === 0 ? 0 : axis === 1 ? rank - 1 : axis - 1));
}

/** NCHW to NHWC for any rank. */
export function toLast(rank: number): number[] {
  return Array.from({ length: rank }, (_, axis) => (axis === 0 ? 0 : axis === rank - 1 ? 1 : axis + 1));
}

/** Where an axis of Keras stands in `layout`. */
export function axisIn(axis: number, rank: number, layout: Layout): number {
  const positive = axis < 0 ? axis + rank : axis;
  return layout === 'first' && rank >= 3 ? toFirst(rank).indexOf(positive) : positive;
}

function dimsOf(shape: readonly Size[]): Dim[] {
  return shape.map((size, axis): Dim => size ?? (axis === 0 ? 'batch' : null));
}
