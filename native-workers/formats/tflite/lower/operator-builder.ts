/** Small builders for TFLite operators, which every lowering composes. Constants that are only moved are moved at once. */
import { DTYPES, type DType, elementCount, isFloat } from '../../../graph/dtype.ts';
import { permutedTensor, slicedTensor } from '../../../graph/late-tensor.ts';
import { tensorFromNumbers, toNumbers } from '../../../graph/tensor-values.ts';
import type { Options, Quantization, TflGraph, TflOperator, TflTensor, TflValue } from '../ir.ts';
import type { BuiltinOperator } from '../schema.ts';
import { DTYPE_CODES } from '../schema.ts';
import { broadcast, Refusal } from './terms.ts';

export class OperatorBuilder {
  operators: TflOperator[] = [];
  /** Label of the node that operators are made for. */
  protected source = '';
  readonly #makers = new Map<TflTensor, TflOperator>();

  constant(dtype: DType, values: ArrayLike<number>, shape: readonly number[]): TflTensor {
    const constant = tensorFromNumbers(dtype, values, shape);
    return { name: '', shape, dtype, constant, quantization: null, signature: null };
  }

  int32(values: readonly number[]): TflTensor {
    return this.constant('int32', values, [values.length]);
  }

  scalar(value: number, dtype: DType = 'float32'): TflTensor {
    return this.constant(dtype, [value], []);
  }

  emit(code: BuiltinOperator, inputs: (TflTensor | null)[], output: TensorType, options: Options = {}): TflTensor {
    return this.emitAll(code, inputs, [output], options)[0] as TflTensor;
  }

  emitAll(
    code: BuiltinOperator,
    inputs: (TflTensor | null)[],
    types: readonly TensorType[],
    options: Options = {},
  ): TflTensor[] {
    for (const { shape } of types) {
      if (elementCount(shape) === 0) throw new Refusal('a value is empty, and LiteRT loads no empty tensors');
    }
    const outputs = types.map(blank);
    return this.#add({ code, inputs, outputs, options, source: this.source });
  }

  #add(operator: TflOperator): TflTensor[] {
    this.operators.push(operator);
    for (const output of operator.outputs) this.#makers.set(output, operator);
    return operator.outputs;
  }

  /**
   * A WHILE that takes `count` steps. `step` makes the next state of the number of the step (int32, no dimensions) and the state
   * before, of the same types. What else it reads is carried along, since the graph of a body sees nothing outside of it.
   */
  loop(
    count: number,
    state: readonly TflTensor[],
    step: (index: TflTensor, state: readonly TflTensor[]) => readonly TflTensor[],
  ): TflTensor[] {
    const index = blank({ shape: [], dtype: 'int32' });
    const inside = state.map(blank);
    const { made: next, operators } = this.#apart(() => [this.add(index, 1), ...step(index, inside)]);
    const own = new Set([index, ...inside, ...operators.flatMap(({ outputs }) => outputs)]);
    const carried = new Map<TflTensor, TflTensor>();
    for (const operator of operators) {
      operator.inputs = operator.inputs.map((input) => {
        if (input === null || input.constant !== null || own.has(input)) return input;
        const copy = carried.get(input) ?? blank(input);
        carried.set(input, copy);
        return copy;
      });
    }
    const copies = [...carried.values()];
    const bodyInputs = [index, ...inside, ...copies];
    const seen = bodyInputs.map(blank);
    const { made: goesOn, operators: test } = this.#apart(() => [
      this.binary('LESS', seen[0] as TflTensor, count, 'bool'),
    ]);
    const graphs = {
      cond_subgraph_index: graphOf(seen, goesOn, test),
      body_subgraph_index: graphOf(bodyInputs, [...next, ...copies], operators),
    };
    const inputs = [this.scalar(0, 'int32'), ...state, ...carried.keys()];
    const outputs = inputs.map(blank);
    this.#add({ code: 'WHILE', inputs, outputs, options: {}, source: this.source, graphs });
    return outputs.slice(1, 1 + state.length);
  }

  /** The operators that `make` adds, apart from those before. */
  #apart<Made>(make: () => Made): { made: Made; operators: TflOperator[] } {
    const outside = this.operators;
    this.operators = [];
    try {
      const made = make();
      return { made, operators: this.operators };
    } finally {
      this.operators = outside;
    }
  }

  /** Whether an operator of the graph makes the tensor; else it is an input or a constant. */
  isMade(tensor: TflTensor): boolean {
    return this.#makers.has(tensor);
  }

  protected makerOf(tensor: TflTensor): TflOperator | undefined {
    return this.#makers.get(tensor);
  }

  /** One input, one output of the same type. */
  unary(code: BuiltinOperator, x: TflTensor, options: Options = {}): TflTensor {
    return this.emit(code, [x], { shape: x.shape, dtype: x.dtype }, options);
  }

  binary(code: BuiltinOperator, a: TflTensor, b: TflTensor | number, dtype?: DType): TflTensor {
    const other = typeof b === 'number' ? this.scalar(b, a.dtype) : b;
    return this.emit(code, [a, other], { shape: broadcast(a.shape, other.shape), dtype: dtype ?? a.dtype });
  }

  add(a: TflTensor, b: TflTensor | number): TflTensor {
    return this.binary('ADD', a, b);
  }

  sub(a: TflTensor, b: TflTensor | number): TflTensor {
    return this.binary('SUB', a, b);
  }

  mul(a: TflTensor, b: TflTensor | number): TflTensor {
    return this.binary('MUL', a, b);
  }

  div(a: TflTensor, b: TflTensor | number): TflTensor {
    return this.binary('DIV', a, b);
  }

  select(condition: TflTensor, yes: TflTensor, no: TflTensor): TflTensor {
    const shape = broadcast(condition.shape, broadcast(yes.shape, no.shape));
    // SELECT_V2 broadcasts up to four dimensions.
    const operands = [condition, yes, no].map((each) => (shape.length > 4 ? this.broadcastTo(each, shape) : each));
    return this.emit('SELECT_V2', operands, { shape, dtype: yes.dtype });
  }

  broadcastTo(x: TflTensor, shape: readonly number[]): TflTensor {
    if (x.shape.join() === shape.join()) return x;
    return this.emit('BROADCAST_TO', [x, this.int32([...shape])], { shape, dtype: x.dtype });
  }

  cast(x: TflTensor, dtype: DType): TflTensor {
    if (x.dtype === dtype) return x;
    if (x.constant !== null && x.quantization === null && !isFloat(x.dtype)) {
      return this.constant(dtype, toNumbers(x.constant), x.shape);
    }
    const options = { in_data_type: DTYPE_CODES[x.dtype] ?? 0, out_data_type: DTYPE_CODES[dtype] ?? 0 };
    return this.emit('CAST', [x], { shape: x.shape, dtype }, options);
  }

  reshape(x: TflTensor, shape: readonly number[]): TflTensor {
    if (x.shape.join() === shape.join()) return x;
    if (x.constant !== null && x.quantization === null) {
      return { ...x, shape, constant: x.constant.reshaped(shape) };
    }
    const output = { shape, dtype: x.dtype, quantization: x.quantization };
    return this.emit('RESHAPE', [x, this.int32(shape)], output, { new_shape: shape });
  }

  /** As `reshape`, for a weight: a constant keeps its scales, whose axis stays where it is. */
  reshapeWeights(x: TflTensor, shape: readonly number[]): TflTensor {
    if (x.constant === null) return this.reshape(x, shape);
    return { ...x, shape, constant: x.constant.reshaped(shape) };
  }

  /** Output dimension i is input dimension `perm[i]`. */
  transpose(x: TflTensor, perm: readonly number[]): TflTensor {
    if (perm.every((axis, index) => axis === index)) return x;
    const shape = perm.map((axis) => x.shape[axis] ?? 1);
    if (x.constant !== null && (x.quantization === null || x.quantization.scales.length === 1)) {
      return { ...x, shape, constant: permutedTensor(x.constant, perm) };
    }
    return this.emit('TRANSPOSE', [x, this.int32(perm)], { shape, dtype: x.dtype, quantization: x.quantization });
  }

  /** Sums, means, extremes over axes, which keep their place with size 1. */
  reduce(code: BuiltinOperator, x: TflTensor, axes: readonly number[]): TflTensor {
    if (axes.length === 0) return x;
    const shape = x.shape.map((dim, axis) => (axes.includes(axis) ? 1 : dim));
    const output = { shape, dtype: x.dtype, quantization: x.quantization };
    return this.emit(code, [x, this.int32([...axes])], output, { keep_dims: true });
  }

  slice(x: TflTensor, begin: readonly number[], size: readonly number[]): TflTensor {
    if (begin.every((at) => at === 0) && size.join() === x.shape.join()) return x;
    if (x.constant !== null && x.quantization === null && DTYPES[x.dtype].bits >= 8)
      return { ...x, shape: size, constant: slicedTensor(x.constant, begin, size) };
    const output = { shape: size, dtype: x.dtype, quantization: x.quantization };
    return this.emit('SLICE', [x, this.int32([...begin]), this.int32([...size])], output);
  }

  concat(parts: readonly TflTensor[], axis: number): TflTensor {
    const [first] = parts;
    if (first === undefined) throw new Refusal('there is nothing to concatenate');
    if (parts.length === 1) return first;
    const shape = first.shape.map((dim, index) =>
      index === axis ? parts.reduce((sum, part) => sum + (part.shape[axis] ?? 0), 0) : dim,
    );
    const output = { shape, dtype: first.dtype, quantization: first.quantization };
    return this.emit('CONCATENATION', [...parts], output, { axis });
  }

  gather(x: TflTensor, indices: TflTensor, axis: number): TflTensor {
    const shape = [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)];
    return this.emit('GATHER', [x, indices], { shape, dtype: x.dtype, quantization: x.quantization }, { axis });
  }

  matmul(a: TflTensor, b: TflTensor, options: { adjX?: boolean; adjY?: boolean } = {}): TflTensor {
    const { adjX = false, adjY = false } = options;
    const rank = Math.max(a.shape.length, b.shape.length);
    const batch = broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2));
    const rows = a.shape.at(adjX ? -1 : -2) ?? 1;
    const columns = b.shape.at(adjY ? -2 : -1) ?? 1;
    if (rank > 5) throw new Refusal('BATCH_MATMUL takes at most 5 dimensions');
    return this.emit(
      'BATCH_MATMUL',
      [a, b],
      { shape: [...batch, rows, columns], dtype: a.dtype },
      { adj_x: adjX, adj_y: adjY },
    );
  }

  clamp(x: TflTensor, low: number, high: number): TflTensor {
    let y = x;
    if (low > Number.NEGATIVE_INFINITY) y = this.binary('MAXIMUM', y, low);
    if (high < Number.POSITIVE_INFINITY) y = this.binary('MINIMUM', y, high);
    return y;
  }
}

interface TensorType {
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly quantization?: Quantization | null;
}

/** A new tensor of the type of another. */
function blank({ shape, dtype, quantization = null }: TensorType): TflTensor {
  return { name: '', shape, dtype, constant: null, quantization, signature: null };
}

function graphOf(inputs: readonly TflTensor[], outputs: readonly TflTensor[], operators: TflOperator[]): TflGraph {
  const values = (tensors: readonly TflTensor[]): TflValue[] =>
    tensors.map((tensor) => ({ source: '', name: '', tensor }));
  return { inputs: values(inputs), outputs: values(outputs), operators };
}
