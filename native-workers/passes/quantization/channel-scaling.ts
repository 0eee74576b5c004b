/**
 * Where a factor by channel can be moved through a graph without changing what it computes: out of an activation, into the
 * constants that make it on one side and into the weights that read it on the other.
 */
import type { Graph } from '../../graph/graph.ts';
import type { Node } from '../../graph/node.ts';
import { tensorFromFloat32, toFloat32 } from '../../graph/tensor-values.ts';
import type { Value } from '../../graph/value.ts';

/** A constant of which one axis runs over the channels. */
export interface ScalableConstant {
  readonly value: Value;
  readonly axis: number;
}

export interface ScalableActivation {
  readonly value: Value;
  readonly channels: number;
  /** Axis of the activation that runs over the channels: 1, or the last for matrices. */
  readonly axis: number;
  /** Divided by the factors: weights, biases, and the gain and shift of a normalization. */
  readonly makers: readonly ScalableConstant[];
  /** Multiplied by them. */
  readonly readers: readonly ScalableConstant[];
}

/** Operators f with f(x / s) = f(x) / s for positive s, element by element or by channel. Clip is none of them. */
const HOMOGENEOUS = ['Relu', 'LeakyRelu', 'MaxPool', 'AveragePool', 'GlobalAveragePool', 'Identity'];

/** Every activation of the top-level graph through which factors can move. */
export function scalableActivations(graph: Graph): ScalableActivation[] {
  const found: ScalableActivation[] = [];
  const outputs = new Set(graph.outputs);
  for (const node of graph.nodes) {
    const value = node.outputs[0];
    if (value == null || outputs.has(value) || value.consumers.size === 0) continue;
    const readers = readersOf(value);
    if (readers === null) continue;
    const makers = makersOf(value, readers.axis, readers.channels, outputs);
    if (makers !== null) found.push({ value, ...readers, makers });
  }
  return found;
}

/** Moves the factors: the activation becomes `value / factors`, and the model computes what it did. */
export function applyFactors(activation: ScalableActivation, factors: Float32Array): void {
  for (const maker of activation.makers) scaleConstant(maker, factors, true);
  for (const reader of activation.readers) scaleConstant(reader, factors, false);
}

function readersOf(value: Value): { readers: ScalableConstant[]; axis: number; channels: number } | null {
  const readers: ScalableConstant[] = [];
  let axis: number | null = null;
  let channels = 0;
  for (const node of value.consumers) {
    const weight = node.inputs[1] ?? null;
    if (node.inputs[0] !== value || node.inputs.lastIndexOf(value) !== 0 || !ownConstant(weight)) return null;
    const shape = weight?.tensor?.shape ?? [];
    let weightAxis: number;
    let dataAxis = 1;
    if (node.is('Conv')) {
      const depthwise = node.int('group', 1) === shape[0] && shape[1] === 1;
      if (!depthwise && node.int('group', 1) !== 1) return null;
      weightAxis = depthwise ? 0 : 1;
    } else if (node.is('Gemm') && node.int('transA', 0) === 0) weightAxis = node.int('transB', 0) === 1 ? 1 : 0;
    else if (node.is('MatMul') && shape.length === 2) {
      weightAxis = 0;
      dataAxis = -1;
    } else return null;
    const size = shape[weightAxis] ?? 0;
    if (axis !== null && (axis !== dataAxis || channels !== size)) return null;
    axis = dataAxis;
    channels = size;
    if (weight !== null) readers.push({ value: weight, axis: weightAxis });
  }
  return axis === null ? null : { readers, axis, channels };
}

/** The constants that set the scale of each channel of `value`; null when something in between does not let a factor through. */
function makersOf(
  value: Value,
  axis: number,
  channels: number,
  outputs: ReadonlySet<Value>,
): ScalableConstant[] | null {
  let at = value;
  for (let node = at.producer; node !== null; node = at.producer) {
    if (at !== value && (at.consumers.size !== 1 || outputs.has(at))) return null;
    const input = node.inputs[0] ?? null;
    if (node.is(...HOMOGENEOUS) && input !== null) {
      at = input;
      continue;
    }
    if (node.is('LayerNormalization')) return allVectors([node.inputs[1] ?? null, node.inputs[2] ?? null], channels);
    if (node.is('Conv', 'Gemm')) return linearMaker(node, axis, channels);
    if (node.is('Add', 'Mul')) return shiftedMaker(node, axis, channels, outputs);
    return null;
  }
  return null;
}

function linearMaker(node: Node, axis: number, channels: number): ScalableConstant[] | null {
  const weight = node.inputs[1] ?? null;
  const bias = node.inputs[2] ?? null;
  if (axis !== 1 || !ownConstant(weight) || weight === null) return null;
  const weightAxis = node.opType === 'Gemm' && node.int('transB', 0) === 0 ? 1 : 0;
  if (weight.tensor?.shape[weightAxis] !== channels) return null;
  const biases = bias === null ? [] : allVectors([bias], channels);
  return biases === null ? null : [{ value: weight, axis: weightAxis }, ...biases];
}

/** `x * gain` and `x * gain + shift` of an unrolled normalization, and `x W + shift` of a matrix product. */
function shiftedMaker(
  node: Node,
  axis: number,
  channels: number,
  outputs: ReadonlySet<Value>,
): ScalableConstant[] | null {
  if (axis !== -1) return null;
  const constant = node.inputs.find((input) => input?.isConstant === true) ?? null;
  const other = node.inputs.find((input) => input?.isConstant === false) ?? null;
  const own = allVectors([constant], channels);
  if (own === null || other === null) return null;
  if (node.opType === 'Mul') return own;
  const before = other.producer;
  if (before === null || other.consumers.size !== 1 || outputs.has(other)) return null;
  if (before.is('Mul')) {
    const gain = allVectors([before.inputs.find((input) => input?.isConstant === true) ?? null], channels);
    return gain === null ? null : [...own, ...gain];
  }
  const weight = before.inputs[1] ?? null;
  if (
    !before.is('MatMul') ||
    !ownConstant(weight) ||
    weight?.tensor?.shape.length !== 2 ||
    weight.tensor.shape[1] !== channels
  )
    return null;
  return [...own, { value: weight, axis: 1 }];
}

function allVectors(values: readonly (Value | null)[], channels: number): ScalableConstant[] | null {
  const found: ScalableConstant[] = [];
  for (const value of values) {
    if (value === null || !ownConstant(value) || value.tensor?.shape.length !== 1 || value.tensor.shape[0] !== channels)
      return null;
    found.push({ value, axis: 0 });
  }
  return found;
}

/** A float32 initializer that nothing else reads. */
function ownConstant(value: Value | null): boolean {
  return value?.tensor?.dtype === 'float32' && value.consumers.size === 1;
}

function scaleConstant(constant: ScalableConstant, factors: Float32Array, divide: boolean): void {
  const tensor = constant.value.tensor;
  if (tensor === null) return;
  const values = Float32Array.from(toFloat32(tensor));
  const inner = tensor.shape.slice(constant.axis + 1).reduce((product, dim) => product * dim, 1);
  for (let index = 0; index < values.length; index++) {
    const factor = factors[Math.floor(index / inner) % factors.length] as number;
    values[index] = divide ? (values[index] as number) / factor : (values[index] as number) * factor;
  }
  constant.value.tensor = tensorFromFloat32(values, tensor.shape);
}
