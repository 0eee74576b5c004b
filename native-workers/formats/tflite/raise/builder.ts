/**
 * Builds the ONNX graph of a TFLite file. Pictures stand as NHWC in TFLite and as NCHW in ONNX: each tensor of rank 4 can have
 * both forms, made from each other when asked, so that a transpose stands only where a layout is really changed. A quantized
 * activation is its float value followed by QuantizeLinear and DequantizeLinear, which ONNX Runtime fuses back (`codes.ts`).
 */
import type { Graph } from '../../../graph/graph.ts';
import { tensorFromNumbers } from '../../../graph/tensor-values.ts';
import { type Dim, tensorType } from '../../../graph/types.ts';
import type { Value } from '../../../graph/value.ts';
import { HoneError } from '../../../protocol/errors.ts';
import type { QuantizationInfo, TfliteGraph, TfliteTensor } from '../file.ts';
import { type Codes, codesOf, dequantize, inOnnx, quantize, turned } from './codes.ts';
import { NodeBuilder, type Shared } from './node-builder.ts';

export type Layout = 'file' | 'nchw';

/** Adds the nodes of a graph's operators. */
export type RaiseGraph = (builder: GraphBuilder) => void;

/** Each graph is raised once where it is run; a file could nest them so that this never ends. */
const MOST_INNER = 1000;

/** NHWC to NCHW, and back. */
export const TO_NCHW = [0, 3, 1, 2];
export const TO_NHWC = [0, 2, 3, 1];

export class GraphBuilder extends NodeBuilder {
  /** Names of the variables that tensors are handles of. */
  readonly handles: Map<number, string> = new Map();
  /** Whether the graph runs once, to set variables. */
  readonly isInitialising: boolean;
  readonly #raise: RaiseGraph;
  /** Graphs of the file that this one stands in, itself among them. */
  readonly #around: readonly TfliteGraph[];
  /** The float (or plain integer) value of each tensor, by layout; of quantized ones made when it is asked for. */
  readonly #forms: Map<number, Map<Layout, Value>> = new Map();
  /** The integers of each quantized tensor that an operator made. */
  readonly #codes: Map<number, Map<Layout, Value>> = new Map();

  /** `outer`: the builder of the graph that runs this one. `raise` adds the operators of a graph. */
  constructor(
    source: TfliteGraph,
    shared: Shared,
    raise: RaiseGraph,
    graph: Graph = shared.root,
    outer: GraphBuilder | null = null,
    isInitialising = outer?.isInitialising ?? false,
  ) {
    super(source, shared, graph);
    this.#raise = raise;
    this.#around = [...(outer === null ? [] : outer.#around), source];
    this.isInitialising = isInitialising;
  }

  /**
   * Raises graph `index` of the file over the values `inputs`, and returns those of its outputs. With a graph of its own, each of
   * these is made in it by a node; without, its nodes stand in this one.
   */
  inner(index: number, inputs: readonly Value[], graph: Graph | null): Value[] {
    const builder = this.#builderOf(index, graph ?? this.graph, this.isInitialising);
    const { source } = builder;
    if (source.inputs.length !== inputs.length)
      throw this.#misfit(`Graph ${index} takes ${source.inputs.length} inputs and is given ${inputs.length}.`);
    source.inputs.forEach((tensor, position) => {
      builder.#forms.set(tensor, new Map([['file', inputs[position] as Value]]));
    });
    this.#raise(builder);
    const made = new Set<Value>();
    return source.outputs.map((tensor) => {
      const value = builder.value(tensor);
      if (graph === null || (value.producer?.graph === graph && !made.has(value))) {
        made.add(value);
        return value;
      }
      const own = builder.op('Identity', [value]);
      own.type = tensorType(builder.tensor(tensor).dtype, dimsOf(builder.tensor(tensor), 'file'));
      return own;
    });
  }

  /** Sets the variables that graph `index` of the file sets. */
  initialise(index: number): void {
    this.#raise(this.#builderOf(index, this.graph, true));
  }

  #builderOf(index: number, graph: Graph, isInitialising: boolean): GraphBuilder {
    const source = this.shared.file.graphs[index];
    if (source === undefined) throw this.#misfit(`There is no graph ${index}.`);
    if (this.#around.includes(source)) throw this.#misfit(`Graph ${index} runs itself.`);
    if (++this.shared.inner > MOST_INNER)
      throw this.#misfit(`Its graphs run each other more than ${MOST_INNER} times.`);
    return new GraphBuilder(source, this.shared, this.#raise, graph, this, isInitialising);
  }

  #misfit(message: string): HoneError {
    return new HoneError('file-corrupt', message, { where: { file: this.path } });
  }

  /** Whether the tensor can be had as NCHW without a new transpose. */
  isNchw(index: number): boolean {
    return this.#forms.get(index)?.has('nchw') === true || this.#codes.get(index)?.has('nchw') === true;
  }

  isConstant(index: number): boolean {
    return this.tensor(index).data !== null;
  }

  /**
   * The value of a tensor to compute with: dequantized, in the layout asked for (rank 4 only). `as`: other parameters under
   * which its integers are read, where LiteRT's arithmetic amounts to others than the file says (`rounding.ts`).
   */
  value(index: number, layout: Layout = 'file', as: Partial<Codes> = {}): Value {
    const tensor = this.tensor(index);
    const perm = layout === 'nchw' ? TO_NCHW : null;
    if (Object.keys(as).length > 0) {
      if (tensor.data !== null) return this.constant(index, perm, null, as);
      const stored = this.#stored(tensor, layout);
      if (stored !== null) return dequantize(this, this.#codesIn(index, layout), { ...stored, ...as }, tensor.name);
    }
    const forms = this.#forms.get(index) ?? new Map<Layout, Value>();
    this.#forms.set(index, forms);
    const made = forms.get(layout) ?? this.#form(index, layout, forms);
    forms.set(layout, made);
    return made;
  }

  #form(index: number, layout: Layout, forms: ReadonlyMap<Layout, Value>): Value {
    const tensor = this.tensor(index);
    if (tensor.data !== null) return this.constant(index, layout === 'nchw' ? TO_NCHW : null);
    const stored = this.#stored(tensor, layout);
    if (stored !== null) {
      const made = dequantize(this, this.#codesIn(index, layout), stored, tensor.name);
      made.type = tensorType('float32', dimsOf(tensor, layout));
      return made;
    }
    const other = forms.get(layout === 'nchw' ? 'file' : 'nchw');
    if (other === undefined) throw this.#unmade(tensor);
    return this.#inOtherLayout(other, layout);
  }

  #codesIn(index: number, layout: Layout): Value {
    const forms = this.#codes.get(index);
    const other = forms?.get(layout === 'nchw' ? 'file' : 'nchw');
    const made = forms?.get(layout) ?? (other === undefined ? undefined : this.#inOtherLayout(other, layout));
    if (made === undefined) throw this.#unmade(this.tensor(index));
    forms?.set(layout, made);
    return made;
  }

  #inOtherLayout(value: Value, layout: Layout): Value {
    return this.transpose(value, layout === 'nchw' ? TO_NCHW : TO_NHWC);
  }

  #unmade({ name }: TfliteTensor): HoneError {
    return new HoneError('file-corrupt', `The tensor ${name} is read before anything makes it.`, {
      where: { file: this.path, tensor: name },
    });
  }

  /**
   * Sets what an operator made; quantized activations are quantized here. `as`: other parameters under which the raw value
   * gives the same integers. Graph outputs are named at the end.
   */
  define(index: number, raw: Value, layout: Layout = 'file', as: Partial<Codes> = {}): void {
    const tensor = this.tensor(index);
    const stored = this.#stored(tensor, layout);
    if (stored !== null) {
      const codes = quantize(this, raw, { ...stored, ...as }, tensor.name);
      codes.type = tensorType(stored.dtype, dimsOf(tensor, layout));
      this.#codes.set(index, new Map([[layout, codes]]));
      this.#forms.delete(index);
      return;
    }
    raw.type = tensorType(tensor.dtype, dimsOf(tensor, layout));
    if (raw.name.startsWith('~')) raw.name = this.unique(this.#hint(index));
    this.#forms.set(index, new Map([[layout, raw]]));
  }

  /** How the integers of a quantized tensor stand in the graph; null for plain tensors. */
  #stored(tensor: TfliteTensor, layout: Layout): Codes | null {
    const codes = codesOf(tensor);
    if (codes === null) return null;
    const stored = inOnnx(codes);
    return layout === 'nchw' ? { ...stored, axis: TO_NCHW.indexOf(stored.axis) } : stored;
  }

  /** The name of a tensor is kept for the graph's own output, which may be another value: its codes. */
  #hint(index: number): string {
    const { name } = this.tensor(index);
    return this.source.outputs.includes(index) ? `${name}_value` : name;
  }

  /** A graph input: integer codes are dequantized at once, and brought to the form that codes have in the graph. */
  defineInput(index: number): void {
    const tensor = this.tensor(index);
    const input = this.graph.addInput(this.unique(tensor.name), tensorType(tensor.dtype, dimsOf(tensor, 'file')));
    const codes = codesOf(tensor);
    if (codes === null) {
      this.#forms.set(index, new Map([['file', input]]));
      return;
    }
    if (inOnnx(codes).dtype === codes.dtype) this.#codes.set(index, new Map([['file', input]]));
    else this.define(index, dequantize(this, input, codes, tensor.name));
  }

  /** A graph output: integer codes where the file has them. */
  defineOutput(index: number): void {
    const tensor = this.tensor(index);
    const codes = codesOf(tensor);
    let value: Value;
    if (codes === null || tensor.data !== null) value = this.value(index);
    else if (inOnnx(codes).dtype === codes.dtype) value = this.#codesIn(index, 'file');
    else value = quantize(this, this.value(index), codes, tensor.name);
    if (value.isConstant || this.graph.inputs.includes(value) || this.graph.outputs.includes(value))
      value = this.op('Identity', [value]);
    value.name = this.unique(tensor.name);
    value.type = tensorType(tensor.dtype, dimsOf(tensor, 'file'));
    this.graph.outputs.push(value);
  }

  /** A constant of the file, dequantized where it is quantized; axes permuted by `perm`, then seen as `shape`. */
  constant(
    index: number,
    perm: readonly number[] | null,
    shape: readonly number[] | null = null,
    as: Partial<Codes> = {},
  ): Value {
    const tensor = this.tensor(index);
    const codes = codesOf(tensor);
    const stored = codes === null ? null : { ...inOnnx(codes), ...as };
    return this.#constant(
      stored?.dtype === 'uint8' && tensor.dtype === 'int8' ? turned(tensor) : tensor,
      stored,
      perm,
      shape,
    );
  }

  /** As `constant`, for the weights of a product or convolution: their integers keep their type. They may be computed. */
  weights(index: number, perm: readonly number[] | null): Value {
    const tensor = this.tensor(index);
    if (tensor.data === null) return perm === null ? this.value(index) : this.transpose(this.value(index), perm);
    return this.#constant(tensor, codesOf(tensor), perm, null);
  }

  #constant(
    tensor: TfliteTensor,
    codes: Codes | null,
    perm: readonly number[] | null,
    shape: readonly number[] | null,
  ): Value {
    const stored = this.storedConstant(tensor, perm, shape);
    if (codes === null) return stored;
    if (tensor.quantization?.details) {
      throw new HoneError(
        'format-unsupported',
        `The tensor ${tensor.name} is quantized ${tensor.quantization.details}, which Hone does not read.`,
        { where: { file: this.path, tensor: tensor.name } },
      );
    }
    const axis = perm === null ? codes.axis : perm.indexOf(codes.axis);
    return dequantize(this, stored, { ...codes, axis }, tensor.name);
  }

  /** The bias of a quantized layer: int32 at scale input x weight, as the kernels add it (TFLite quantization spec). */
  bias(index: number, input: QuantizationInfo | null, weight: QuantizationInfo | null): Value {
    const tensor = this.tensor(index);
    if (tensor.dtype !== 'int32' && tensor.dtype !== 'int64') return this.value(index);
    const inputScale = input?.scales[0] ?? 1;
    const scales =
      weight === null
        ? (tensor.quantization?.scales ?? [1])
        : weight.scales.map((scale) => Math.fround(inputScale * scale));
    const codes =
      tensor.dtype === 'int32'
        ? this.storedConstant(tensor, null, null)
        : this.initializer(tensorFromNumbers('int32', this.numbers(index), tensor.shape));
    return dequantize(this, codes, { dtype: 'int32', scales, zeroPoints: scales.map(() => 0), axis: 0 }, tensor.name);
  }
}

function dimsOf(tensor: TfliteTensor, layout: Layout): Dim[] {
  const dims = tensor.signature.map(
    (dim, axis): Dim => (dim >= 0 ? dim : axis === 0 ? 'batch' : `${tensor.name}_${axis}`),
  );
  return layout === 'nchw' ? TO_NCHW.map((axis) => dims[axis] ?? null) : dims;
}
