/**
 * One layer of a quantized model whose sums can saturate (`saturation.ts`): what is known of it, what it lets out of the graph, and
 * what it loses by the codes that it reads.
 */
import { elementCount } from '../graph/dtype.ts';
import type { Graph } from '../graph/graph.ts';
import type { Node } from '../graph/node.ts';
import { toFloat32 } from '../graph/tensor-values.ts';
import { tensorType } from '../graph/types.ts';
import type { Value } from '../graph/value.ts';
import {
  pairSaturation,
  type RiskyPairs,
  reachablePairs,
  readByPairs,
  riskyPairs,
} from '../kernels/pair-saturation.ts';
import type { Feeds, HostTensor } from '../lib/engine.ts';
import { HoneError } from '../protocol/errors.ts';
import { type ConvolutionShape, convolutionShape, windowReader } from './convolution-window.ts';

export interface SaturatingLayer {
  readonly label: string;
  /** Outputs of the tapped model: the codes that the layer reads, and the shape and the power of what it makes. */
  readonly codes: string;
  readonly shape: string;
  readonly power: string;
  /** The input that is added to what it makes. */
  readonly delta: string;
  /** Of windows [kernel position, channel] where the layer is a convolution. */
  readonly pairs: RiskyPairs;
  readonly length: number;
  readonly channels: number;
  /** Scale of each channel's sums: input scale times weight scale. */
  readonly scales: Float32Array;
  readonly zeroPoint: number;
  readonly convolution: ConvolutionShape | null;
}

/** What of a layer is known before it is tapped. */
export type Untapped = Omit<SaturatingLayer, 'shape' | 'power' | 'delta'>;

/** What a layer loses in one run. */
export interface Excess {
  /** Of each sum, in the shape of the layer's output; a single zero where nothing saturated. */
  readonly excess: HostTensor;
  /** Its squared norm. */
  readonly squares: number;
  /** Pairs that saturated, and all that were added. */
  readonly saturated: number;
  readonly pairs: number;
}

const PREFIX = 'hone.saturation';
/** The excess of a layer in which nothing saturated. */
export const NO_EXCESS: HostTensor = { dtype: 'float32', shape: [], data: new Float32Array(1) };

/** A layer to emulate; null for any other node; the label of a layer that cannot be emulated. */
export function layerOf(node: Node): Untapped | null | string {
  if (!node.is('Conv', 'MatMul', 'Gemm')) return null;
  const [data, weight] = node.inputs.map((input) => input?.producer ?? null);
  if (data?.opType !== 'DequantizeLinear' || weight?.opType !== 'DequantizeLinear') return null;
  const codes = data.inputs[0];
  const [tensor, weightScales] = [weight.inputs[0]?.tensor, weight.inputs[1]?.tensor];
  const [scale, zeroPoint] = [data.inputs[1]?.tensor, data.inputs[2]?.tensor];
  if (codes == null || tensor?.dtype !== 'int8' || zeroPoint?.dtype !== 'uint8') return null;
  if (weightScales == null || scale == null) return null;
  const source = Int8Array.from(toFloat32(tensor));
  const [first = 1, second = 1] = tensor.shape;
  let weights: Int8Array;
  let convolution: ConvolutionShape | null = null;
  if (node.opType === 'Conv') {
    convolution = convolutionShape(node, tensor.shape);
    if (convolution === null) return node.label;
    // Depthwise kernels widen before they add.
    if (convolution.inputs === 1) return null;
    weights = windowOrder(source, first, second, convolution.window);
  } else {
    const rows = node.opType === 'Gemm' && node.int('transB', 0) === 1;
    weights = rows ? source : transposed(source, first, second);
  }
  const rowsFirst = node.opType === 'Conv' || (node.opType === 'Gemm' && node.int('transB', 0) === 1);
  const channels = rowsFirst ? first : second;
  const length = source.length / channels;
  const inputScale = toFloat32(scale)[0] ?? 1;
  const each = toFloat32(weightScales);
  return {
    label: node.label,
    codes: codes.name,
    pairs: riskyPairs(weights, length),
    length,
    channels,
    scales: Float32Array.from(
      { length: channels },
      (_, channel) => inputScale * (each[each.length > 1 ? channel : 0] ?? 1),
    ),
    zeroPoint: toFloat32(zeroPoint)[0] ?? 0,
    convolution,
  };
}

/** [output, input, window] to [output, window, input]: kernels run over the input channels fastest. */
function windowOrder(source: Int8Array, outputs: number, inputs: number, window: number): Int8Array {
  const ordered = new Int8Array(source.length);
  for (let output = 0; output < outputs; output++) {
    for (let input = 0; input < inputs; input++) {
      for (let position = 0; position < window; position++) {
        const from = (output * inputs + input) * window + position;
        ordered[(output * window + position) * inputs + input] = source[from] as number;
      }
    }
  }
  return ordered;
}

function transposed(source: Int8Array, rows: number, columns: number): Int8Array {
  const result = new Int8Array(source.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++)
      result[column * rows + row] = source[row * columns + column] as number;
  }
  return result;
}

/** Lets what `SaturatingLayer` names out of the model, and adds the excess of a layer to what the readers of its output see. */
export function tapLayer(graph: Graph, node: Node, layer: Untapped): SaturatingLayer {
  const output = node.outputs[0] as Value;
  const readers = [...output.consumers];
  const delta = graph.addInput(graph.uniqueName(`${PREFIX}.delta`), tensorType('float32', null));
  const sum = graph.createValue(`${PREFIX}.sum`);
  graph.addNode({ opType: 'Add', inputs: [output, delta], outputs: [sum] });
  for (const reader of readers) {
    reader.inputs.forEach((input, index) => {
      if (input === output) reader.setInput(index, sum);
    });
  }
  const place = graph.outputs.indexOf(output);
  if (place >= 0) {
    const name = output.name;
    output.name = graph.uniqueName(`${name}_float`);
    sum.name = name;
    sum.type = output.type;
    graph.outputs[place] = sum;
  }
  const codes = node.inputs[0]?.producer?.inputs[0] as Value;
  if (!graph.outputs.includes(codes)) graph.outputs.push(codes);
  const [shape, power] = (['Shape', 'ReduceSumSquare'] as const).map((opType) => {
    const made = graph.createValue(
      graph.uniqueName(`${PREFIX}.${opType}`),
      tensorType(opType === 'Shape' ? 'int64' : 'float32', null),
    );
    graph.addNode({ opType, inputs: [output], outputs: [made] });
    graph.outputs.push(made);
    return made.name;
  }) as [string, string];
  return { ...layer, codes: codes.name, shape, power, delta: delta.name };
}

/** What the layer loses by the codes that it has read in the run that gave `found`. */
export function excessOf(layer: SaturatingLayer, found: Feeds): Excess {
  const codes = found[layer.codes];
  if (!(codes?.data instanceof Uint8Array))
    throw new HoneError('internal', `The codes that ${layer.label} reads did not come out as uint8.`);
  const { channels, length, convolution } = layer;
  const shape = Array.from(found[layer.shape]?.data ?? [], Number);
  const size = elementCount(shape);
  const places = size / channels;
  const pairs = places * channels * Math.floor(length / 2);
  const reachable = reachablePairs(layer.pairs, mostCodes(codes, layer));
  if (reachable.at.length === 0) return { excess: NO_EXCESS, squares: 0, saturated: 0, pairs };
  const excess = new Float32Array(size);
  let saturated = 0;
  if (convolution === null) {
    for (let row = 0; row < places; row++) {
      const read = codes.data.subarray(row * length, (row + 1) * length);
      saturated += pairSaturation(read, reachable, 0, channels, excess, row * channels, 1);
    }
  } else {
    const batch = codes.shape[0] ?? 1;
    const area = places / batch;
    const perGroup = channels / convolution.groups;
    const { elements, pairs: listed } = readByPairs(reachable);
    const window = new Uint8Array(elements.length);
    const read = windowReader(codes, shape, convolution, layer.zeroPoint, elements);
    for (let sample = 0; sample < batch; sample++) {
      for (let group = 0; group < convolution.groups; group++) {
        const first = group * perGroup;
        for (let place = 0; place < area; place++) {
          read(sample, group, place, window);
          const offset = (sample * channels + first) * area + place;
          saturated += pairSaturation(window, listed, first, perGroup, excess, offset, area);
        }
      }
    }
  }
  if (saturated === 0) return { excess: NO_EXCESS, squares: 0, saturated, pairs };
  const inner = convolution === null ? 1 : places / (codes.shape[0] ?? 1);
  const squares = scaleSums(excess, layer.scales, inner);
  return { excess: { dtype: 'float32', shape, data: excess }, squares, saturated, pairs };
}

/** The largest code that the element `index` of a window, or of a row, has anywhere in `codes`, for the output channel `row`. */
function mostCodes(
  codes: HostTensor,
  { convolution, channels, length, zeroPoint }: SaturatingLayer,
): (row: number, index: number) => number {
  const data = codes.data as Uint8Array;
  const inputs = convolution === null ? length : (codes.shape[1] ?? 1);
  // Where padding stands the code of zero is read.
  const most = new Uint8Array(inputs).fill(convolution === null ? 0 : zeroPoint);
  const inner = convolution === null ? 1 : data.length / ((codes.shape[0] ?? 1) * inputs);
  for (let at = 0, input = 0; at < data.length; input = input + 1 < inputs ? input + 1 : 0) {
    let largest = most[input] as number;
    for (const end = at + inner; at < end; at++) if ((data[at] as number) > largest) largest = data[at] as number;
    most[input] = largest;
  }
  if (convolution === null) return (_, index) => most[index] as number;
  const perGroup = channels / convolution.groups;
  return (row, index) => most[Math.floor(row / perGroup) * convolution.inputs + (index % convolution.inputs)] as number;
}

/** Brings integer sums to real values in place and returns their squared norm. `inner`: sums of one channel in a row. */
function scaleSums(sums: Float32Array, scales: Float32Array, inner: number): number {
  let squares = 0;
  let index = 0;
  for (let channel = 0; index < sums.length; channel = channel + 1 < scales.length ? channel + 1 : 0) {
    const scale = scales[channel] as number;
    for (const end = index + inner; index < end; index++) {
      const scaled = (sums[index] as number) * scale;
      sums[index] = scaled;
      squares += scaled * scaled;
    }
  }
  return squares;
}
