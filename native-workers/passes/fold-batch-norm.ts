/**
 * Folds batch normalization at inference into the convolution or matrix product beside it: y = a x + b by channel, with
 * a = gamma / sqrt(variance + epsilon) and b = beta - a mean, becomes part of that node's weight and bias.
 *
 * After Conv, ConvTranspose and Gemm it always folds; before Gemm too; before Conv only where the Conv does not pad, because
 * padding puts zeros where the normalization would have put b.
 *
 * Notes
 * - ONNX Runtime folds the same after Conv when it loads a model. It is done in the file because quantization needs the ranges
 *   of the folded weights, and other runtimes do not all do it.
 * - The factors are computed in double precision and applied as the weights are written: no weight is held in memory.
 * - A weight that other nodes read too stays for them, and the folded one is new.
 */
import { z } from 'zod';
import type { Graph } from '../graph/graph.ts';
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import { Tensor } from '../graph/tensor.ts';
import { ConvertedData } from '../graph/tensor-data.ts';
import { toFloat32 } from '../graph/tensor-values.ts';
import type { Value } from '../graph/value.ts';
import {
  addConstant,
  allGraphs,
  allOutputs,
  bypass,
  type ConstantOf,
  Counter,
  constantsOf,
  dropIfUnread,
  float32View,
} from './edit.ts';
import { definePass, type PassContext, type PassNote } from './pass.ts';

export type FoldBatchNormOptions = Record<string, never>;

export const FOLD_BATCH_NORM_DEFAULTS: FoldBatchNormOptions = {};

const optionsSchema = z.strictObject({}) as z.ZodType<FoldBatchNormOptions>;

export const foldBatchNorm = definePass(
  {
    id: 'fold-batch-norm',
    title: 'Fold batch normalization',
    summary: 'Merges batch normalization into the convolution or matrix product beside it.',
    family: 'clean',
    lossy: false,
    needs: [],
  },
  FOLD_BATCH_NORM_DEFAULTS,
  optionsSchema,
  async (model, _options, context) => {
    const counts = new Counter();
    const notes: PassNote[] = [];
    await foldBatchNorms(model, context, counts, notes);
    if (counts.total > 0) return { status: 'changed', counts: counts.counts, notes };
    const reason =
      notes.length > 0 ? 'No batch normalization could be folded.' : 'The model has no batch normalization.';
    return { status: 'unchanged', reason, notes };
  },
);

/** y = factor x + shift, by channel. */
interface Affine {
  readonly factor: Float64Array;
  readonly shift: Float64Array;
}

/** Folds every batch normalization that has a place to go; notes name those that have not. */
export async function foldBatchNorms(
  model: Model,
  context: PassContext,
  counts: Counter,
  notes: PassNote[],
): Promise<void> {
  const constantOf = constantsOf(model);
  for (const graph of allGraphs(model.graph)) {
    const norms = [...graph.nodes].filter((node) => node.is('BatchNormalization'));
    for (const [index, norm] of norms.entries()) {
      await context.progress(index, norms.length, 'folding batch normalization');
      const reason = foldOne(graph, norm, constantOf, allOutputs(model.graph), counts);
      if (reason !== null) notes.push({ message: `Not folded: ${reason}.`, node: norm.label });
    }
  }
}

/** Folds one batch normalization; returns why not, or null when it is done. */
export function foldOne(
  graph: Graph,
  norm: Node,
  constantOf: ConstantOf,
  outputs: ReadonlySet<Value>,
  counts: Counter,
): string | null {
  const affine = affineOf(norm, constantOf);
  if (typeof affine === 'string') return affine;
  const input = norm.inputs[0];
  const output = norm.outputs[0];
  if (!input || !output) return 'it has no input or no output';
  const producer = input.producer;
  let reason = 'no convolution or matrix product is beside it';
  if (producer?.graph === graph && producer.is('Conv', 'ConvTranspose', 'Gemm')) {
    if (input.consumers.size > 1 || outputs.has(input)) {
      reason = `other nodes read the output of ${producer.label} too`;
    } else {
      const done = foldAfter(graph, producer, affine, constantOf);
      if (done === null && bypass(norm, input)) {
        counts.add(`folded into ${producer.opType} before`);
        return null;
      }
      reason = done ?? reason;
    }
  }
  const [consumer] = output.consumers;
  const isOnlyReader = output.consumers.size === 1 && !outputs.has(output) && consumer?.inputs[0] === output;
  if (isOnlyReader && consumer.graph === graph && consumer.is('Conv', 'Gemm')) {
    const done = foldBefore(graph, consumer, affine, constantOf);
    if (done === null && bypass(norm, input)) {
      counts.add(`folded into ${consumer.opType} after`);
      return null;
    }
    reason = done ?? reason;
  }
  return reason;
}

/** What the normalization does to each channel, or why that is not fixed. */
function affineOf(norm: Node, constantOf: ConstantOf): Affine | string {
  if (norm.int('training_mode', 0) !== 0) return 'it is in training mode';
  if (norm.outputs.slice(1).some((output) => output !== null && output.consumers.size > 0))
    return 'its statistics are read';
  // Before opset 9 `spatial` = 0 gave every position its own statistics.
  if (norm.int('spatial', 1) === 0) return 'it normalizes every position by itself';
  const parameters = norm.inputs.slice(1, 5).map((value) => constantOf(value));
  const [gamma, beta, mean, variance] = parameters.map((tensor) =>
    tensor?.dtype === 'float32' ? toFloat32(tensor) : null,
  );
  if (!gamma || !beta || !mean || !variance) return 'its parameters are not float32 constants';
  const epsilon = norm.float('epsilon', 1e-5);
  const factor = Float64Array.from(
    gamma,
    (value, channel) => value / Math.sqrt((variance[channel] as number) + epsilon),
  );
  const shift = Float64Array.from(
    beta,
    (value, channel) => value - (mean[channel] as number) * (factor[channel] as number),
  );
  return { factor, shift };
}

type ChannelOf = (index: number) => number;

/** W' = a W by output channel, bias' = a bias + b. Returns why not, or null. */
function foldAfter(graph: Graph, node: Node, { factor, shift }: Affine, constantOf: ConstantOf): string | null {
  const weight = float32Of(constantOf(node.inputs[1]));
  if (weight === null) return `the weight of ${node.label} is no float32 constant`;
  const channels = outputChannels(node, weight);
  if (channels !== factor.length) return `it has ${factor.length} channels and ${node.label} makes ${channels}`;
  const bias = biasOf(node, channels, constantOf);
  if (bias === null) return `the bias of ${node.label} is no float32 constant with one element by channel`;
  const channelOf = outputChannelOf(node, weight);
  replaceInput(
    graph,
    node,
    1,
    scaled(weight, (index) => factor[channelOf(index)] as number),
  );
  setBias(
    graph,
    node,
    Float64Array.from(shift, (value, channel) => value + (factor[channel] as number) * (bias[channel] as number)),
  );
  return null;
}

/** W' = a W by input channel, bias' = bias + W b. Returns why not, or null. */
function foldBefore(graph: Graph, node: Node, { factor, shift }: Affine, constantOf: ConstantOf): string | null {
  if (node.is('Conv') && pads(node)) return `${node.label} pads its input, which the normalization would shift`;
  if (node.int('transA', 0) !== 0) return `${node.label} transposes its input`;
  const weight = float32Of(constantOf(node.inputs[1]));
  if (weight === null) return `the weight of ${node.label} is no float32 constant`;
  const channels = outputChannels(node, weight);
  const bias = biasOf(node, channels, constantOf);
  if (bias === null) return `the bias of ${node.label} is no float32 constant with one element by channel`;
  const inputOf = inputChannelOf(node, weight);
  const outputOf = outputChannelOf(node, weight);
  const alpha = node.float('alpha', 1);
  const shifted = Float64Array.from(bias);
  toFloat32(weight).forEach((value, index) => {
    const channel = outputOf(index);
    shifted[channel] = (shifted[channel] as number) + alpha * value * (shift[inputOf(index)] as number);
  });
  replaceInput(
    graph,
    node,
    1,
    scaled(weight, (index) => factor[inputOf(index)] as number),
  );
  setBias(graph, node, shifted);
  return null;
}

function pads(node: Node): boolean {
  const auto = node.string('auto_pad', 'NOTSET');
  return auto === 'SAME_UPPER' || auto === 'SAME_LOWER' || (node.ints('pads') ?? []).some((pad) => pad !== 0);
}

function outputChannels(node: Node, weight: Tensor): number {
  const { shape } = weight;
  if (node.is('ConvTranspose')) return (shape[1] ?? 0) * node.int('group', 1);
  return (node.is('Gemm') && node.int('transB', 0) === 0 ? shape[1] : shape[0]) ?? 0;
}

/** The output channel that the weight at a flat index belongs to. */
function outputChannelOf(node: Node, weight: Tensor): ChannelOf {
  const [first = 1, second = 1] = weight.shape;
  const afterFirst = weight.size / first;
  if (node.is('Gemm'))
    return node.int('transB', 0) === 0 ? (index) => index % second : (index) => Math.floor(index / second);
  if (node.is('Conv')) return (index) => Math.floor(index / afterFirst);
  // ConvTranspose: [inputs, outputs / group, ...]; the group goes by the input.
  const inputsPerGroup = first / node.int('group', 1);
  const afterSecond = afterFirst / second;
  return (index) => {
    const group = Math.floor(Math.floor(index / afterFirst) / inputsPerGroup);
    return group * second + (Math.floor(index / afterSecond) % second);
  };
}

/** The input channel that the weight of a Conv or Gemm at a flat index meets. */
function inputChannelOf(node: Node, weight: Tensor): ChannelOf {
  const [first = 1, second = 1] = weight.shape;
  if (node.is('Gemm'))
    return node.int('transB', 0) === 0 ? (index) => Math.floor(index / second) : (index) => index % second;
  const afterFirst = weight.size / first;
  const afterSecond = afterFirst / second;
  const outputsPerGroup = first / node.int('group', 1);
  return (index) => {
    const group = Math.floor(Math.floor(index / afterFirst) / outputsPerGroup);
    return group * second + (Math.floor(index / afterSecond) % second);
  };
}

/** The bias as it is added to each output channel: zeros when there is none, null when it is not constant by channel. */
function biasOf(node: Node, channels: number, constantOf: ConstantOf): Float64Array | null {
  const value = node.inputs[2];
  if (value === null || value === undefined) return new Float64Array(channels);
  const tensor = float32Of(constantOf(value));
  // Gemm broadcasts its bias: one element for all, or a row; a column or a matrix differs by row of the input.
  if (tensor === null || (tensor.shape.at(-1) ?? 1) !== tensor.size) return null;
  if (tensor.size !== channels && tensor.size !== 1) return null;
  const beta = node.is('Gemm') ? node.float('beta', 1) : 1;
  const values = toFloat32(tensor);
  return Float64Array.from(
    { length: channels },
    (_, channel) => beta * (values[tensor.size === 1 ? 0 : channel] as number),
  );
}

function setBias(graph: Graph, node: Node, bias: Float64Array): void {
  const before = node.inputs[2];
  const name = `${node.inputs[1]?.name ?? node.opType}_bias`;
  node.setInput(2, addConstant(graph, name, 'float32', [bias.length], Float32Array.from(bias)));
  if (before) dropIfUnread(graph, before);
  if (node.is('Gemm')) node.attributes.delete('beta');
}

function replaceInput(graph: Graph, node: Node, index: number, tensor: Tensor): void {
  const before = node.inputs[index];
  node.setInput(index, graph.addInitializer(graph.uniqueName(`${before?.name ?? node.opType}_folded`), tensor));
  if (before) dropIfUnread(graph, before);
}

/** The weight times a factor by element, computed as it is read. */
function scaled(weight: Tensor, factorOf: (index: number) => number): Tensor {
  const data = new ConvertedData(weight.data, 4, 4, (piece, offset) => {
    const source = float32View(piece);
    const first = offset / 4;
    const result = new Float32Array(source.length);
    // Not `Float32Array.from`, which lists the elements as objects first: garbage of eight times the weight.
    for (let index = 0; index < source.length; index++)
      result[index] = (source[index] as number) * factorOf(first + index);
    return new Uint8Array(result.buffer);
  });
  return new Tensor({ dtype: 'float32', shape: weight.shape, data });
}

function float32Of(tensor: Tensor | null): Tensor | null {
  return tensor?.dtype === 'float32' ? tensor : null;
}
