/**
 * Where a factor by channel can be moved through a graph without changing what it computes: out of activations, into the
 * constants that make them on one side and into the weights that read them on the other. Activations that only a pooling or a
 * homogeneous function lies between move together.
 *
 * Note: residual streams, whose sums would move together too, are left alone. Tried on the reference models: the MobileNetV2 lost
 * (summed divergence of its first three streams 0.32 against 0.26 thousandths of a nat alone), the ResNet stayed as it was. The
 * channels that are loud in a stream are those that matter, and these get the more noise the quieter the others become.
 */
import type { Graph } from '../../graph/graph.ts';
import type { Node } from '../../graph/node.ts';
import { Tensor } from '../../graph/tensor.ts';
import { float32Chunks, toNumbers } from '../../graph/tensor-values.ts';
import type { ValueType } from '../../graph/types.ts';
import type { Value } from '../../graph/value.ts';
import { spillPieces } from '../spill.ts';

/** A constant of which one axis runs over the channels. */
export interface ScalableConstant {
  readonly value: Value;
  readonly axis: number;
}

export interface ScalableGroup {
  /** The activations that take the factors, of the ranks given, and all with the same channels. */
  readonly values: ReadonlyMap<Value, { readonly rank: number }>;
  readonly channels: number;
  /** Axis of the activations that runs over the channels: 1, or -1 for matrices. */
  readonly axis: number;
  /** Divided by the factors: weights, biases, and the gain and shift of a normalization. */
  readonly makers: readonly ScalableConstant[];
  /** Multiplied by them. */
  readonly readers: readonly ScalableConstant[];
  /**
   * The least upper bound of the functions Clip(0, bound) inside, else null. They let a factor through only in channels that
   * never reach the bound, and only one below 1.
   */
  readonly bound: number | null;
}

type Types = ReadonlyMap<Value, ValueType>;

/** Operators f with f(x / s) = f(x) / s for positive s, element by element or by channel. */
const HOMOGENEOUS = ['Relu', 'LeakyRelu', 'MaxPool', 'AveragePool', 'GlobalAveragePool', 'Identity'];

/** Every group of activations of the top-level graph through which factors can move. `types`: of all values, inferred. */
export function scalableGroups(graph: Graph, types: Types): ScalableGroup[] {
  const found: ScalableGroup[] = [];
  const seen = new Set<Value>();
  const outputs = new Set(graph.outputs);
  for (const node of graph.nodes) {
    const data = node.inputs[0];
    if (data == null || seen.has(data)) continue;
    const reader = readerOf(node, data);
    if (reader === null) continue;
    const collector = new Collector(reader.dataAxis, reader.channels, types, outputs);
    const complete = collector.collect(data);
    for (const value of collector.values.keys()) seen.add(value);
    if (complete) found.push(collector);
  }
  return found;
}

/**
 * Moves the factors: the activations become `value / factors`, and the model computes what it did. Large constants that change go
 * to files in `scratch`.
 */
export function applyFactors(group: ScalableGroup, factors: Float32Array, scratch: string): void {
  for (const maker of group.makers) scaleConstant(maker, factors, true, scratch);
  for (const reader of group.readers) scaleConstant(reader, factors, false, scratch);
}

/** Follows one activation to all that must be scaled with it. */
class Collector implements ScalableGroup {
  readonly values = new Map<Value, { rank: number }>();
  readonly makers: ScalableConstant[] = [];
  readonly readers: ScalableConstant[] = [];
  readonly axis: number;
  readonly channels: number;
  bound: number | null = null;
  readonly #types: Types;
  readonly #outputs: ReadonlySet<Value>;
  readonly #nodes = new Set<Node>();
  #waiting: Value[] = [];

  constructor(axis: number, channels: number, types: Types, outputs: ReadonlySet<Value>) {
    this.axis = axis;
    this.channels = channels;
    this.#types = types;
    this.#outputs = outputs;
  }

  /** False when something that touches the group does not let the factors through. */
  collect(start: Value): boolean {
    if (!this.#join(start)) return false;
    let complete = true;
    for (let value = this.#waiting.pop(); value !== undefined; value = this.#waiting.pop()) {
      const { producer } = value;
      if (producer === null || this.#outputs.has(value) || value.isConstant) complete = false;
      else if (!this.#between(producer) && !this.#made(producer, value)) complete = false;
      for (const node of value.consumers) if (!this.#between(node) && !this.#read(node, value)) complete = false;
    }
    return complete;
  }

  #join(...values: readonly (Value | null | undefined)[]): boolean {
    for (const value of values) {
      if (value == null) return false;
      if (this.values.has(value)) continue;
      const type = value.type ?? this.#types.get(value);
      const inferred = this.#types.get(value) ?? type;
      const shape = inferred?.kind === 'tensor' ? inferred.shape : null;
      if (shape == null || shape.at(this.axis) !== this.channels) return false;
      this.values.set(value, { rank: shape.length });
      this.#waiting.push(value);
    }
    return true;
  }

  /** A node that takes scaled values in and gives them out. */
  #between(node: Node): boolean {
    if (this.#nodes.has(node)) return true;
    const [input, other] = node.inputs;
    const output = node.outputs[0];
    let passes = false;
    if (node.is(...HOMOGENEOUS)) passes = this.#join(input, output);
    else if (node.is('Clip')) passes = this.#clips(node) && this.#join(input, output);
    else if (node.is('ReduceMean', 'Flatten'))
      passes = this.axis === 1 && keepsChannels(node, this.#shape(input)) && this.#join(input, output);
    else if (node.is('Add') && this.axis === -1) {
      const vector = input?.isConstant === true ? input : other;
      passes = this.#vectors(vector) && this.#join(vector === input ? other : input, output);
    }
    if (passes) this.#nodes.add(node);
    return passes;
  }

  #clips(node: Node): boolean {
    const bounds = node.inputs
      .slice(1)
      .map((bound) => (bound?.tensor == null ? undefined : toNumbers(bound.tensor)[0]));
    if (node.inputs.slice(1).some((bound) => bound !== null && bound.tensor === null)) return false;
    const low = bounds[0] ?? node.float('min', Number.NEGATIVE_INFINITY);
    const high = bounds[1] ?? node.float('max', Number.POSITIVE_INFINITY);
    if (!(low === 0 || low < -1e30) || !(high > 0)) return false;
    if (high < 1e30) this.bound = Math.min(this.bound ?? high, high);
    return true;
  }

  /** A node whose constants set the scale of each channel of `value`. */
  #made(node: Node, value: Value): boolean {
    if (node.outputs[0] !== value) return false;
    const [, weight = null, bias = null] = node.inputs;
    if (node.is('LayerNormalization'))
      return this.axis === -1 && this.#vectors(weight, ...(bias === null ? [] : [bias]));
    if (node.is('Mul')) {
      return this.axis === -1 && this.#vectors(node.inputs.find((input) => input?.isConstant === true));
    }
    if (!node.is('Conv', 'Gemm', 'MatMul') || !ownConstant(weight) || weight === null) return false;
    const shape = weight.tensor?.shape ?? [];
    if (node.is('MatMul') !== (this.axis === -1)) return false;
    const axis = node.is('MatMul') ? shape.length - 1 : node.is('Gemm') && node.int('transB', 0) === 0 ? 1 : 0;
    if (shape[axis] !== this.channels || (node.is('MatMul') && shape.length !== 2)) return false;
    if (bias !== null && !this.#vectors(bias)) return false;
    this.makers.push({ value: weight, axis });
    return true;
  }

  #read(node: Node, value: Value): boolean {
    const reader = readerOf(node, value);
    if (reader === null || reader.dataAxis !== this.axis || reader.channels !== this.channels) return false;
    this.readers.push(reader);
    return true;
  }

  /** Constant vectors over the channels become makers. */
  #vectors(...values: readonly (Value | null | undefined)[]): boolean {
    for (const value of values) {
      if (value == null || !ownConstant(value)) return false;
      if (value.tensor?.shape.length !== 1 || value.tensor.shape[0] !== this.channels) return false;
      this.makers.push({ value, axis: 0 });
    }
    return true;
  }

  #shape(value: Value | null | undefined): readonly unknown[] | null {
    const type = value == null ? undefined : (this.#types.get(value) ?? value.type);
    return type?.kind === 'tensor' ? type.shape : null;
  }
}

/** The weight of a layer that reads `data` channel by channel. */
function readerOf(node: Node, data: Value): (ScalableConstant & { dataAxis: number; channels: number }) | null {
  const weight = node.inputs[1] ?? null;
  if (node.inputs[0] !== data || node.inputs.lastIndexOf(data) !== 0 || weight === null || !ownConstant(weight))
    return null;
  const shape = weight.tensor?.shape ?? [];
  let axis: number;
  if (node.is('Conv')) {
    const depthwise = node.int('group', 1) === shape[0] && shape[1] === 1;
    if (!depthwise && node.int('group', 1) !== 1) return null;
    axis = depthwise ? 0 : 1;
  } else if (node.is('Gemm') && node.int('transA', 0) === 0) axis = node.int('transB', 0) === 1 ? 1 : 0;
  else if (node.is('MatMul') && shape.length === 2) axis = 0;
  else return null;
  return { value: weight, axis, dataAxis: node.is('MatMul') ? -1 : 1, channels: shape[axis] ?? 0 };
}

/** Whether channels on axis 1 stay there: a mean over the axes behind it, or a flattening of axes of one element. */
function keepsChannels(node: Node, shape: readonly unknown[] | null): boolean {
  if (shape === null || shape.length < 3) return false;
  if (node.is('Flatten')) return node.int('axis', 1) === 1 && shape.slice(2).every((dim) => dim === 1);
  const given = node.inputs[1];
  const axes = given == null ? node.ints('axes') : given.tensor === null ? null : toNumbers(given.tensor);
  return axes != null && axes.length > 0 && axes.every((axis) => (axis < 0 ? axis + shape.length : axis) >= 2);
}

/** A float32 initializer that nothing else reads. */
function ownConstant(value: Value | null): boolean {
  return value?.tensor?.dtype === 'float32' && value.consumers.size === 1;
}

/** Elements that are scaled at once. */
const CHUNK = 1 << 18;

function scaleConstant(constant: ScalableConstant, factors: Float32Array, divide: boolean, scratch: string): void {
  const tensor = constant.value.tensor;
  if (tensor === null) return;
  const inner = tensor.shape.slice(constant.axis + 1).reduce((product, dim) => product * dim, 1);
  function* scaled(source: Tensor): Iterable<Float32Array> {
    let index = 0;
    const values = new Float32Array(CHUNK);
    for (const piece of float32Chunks(source, CHUNK)) {
      for (let at = 0; at < piece.length; at++, index++) {
        const factor = factors[Math.floor(index / inner) % factors.length] as number;
        values[at] = divide ? (piece[at] as number) / factor : (piece[at] as number) * factor;
      }
      yield values.subarray(0, piece.length);
    }
  }
  const data = spillPieces(scratch, 4 * tensor.size, scaled(tensor));
  constant.value.tensor = new Tensor({ dtype: 'float32', shape: tensor.shape, data });
}
