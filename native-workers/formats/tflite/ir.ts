/**
 * The TFLite side of a conversion: tensors and operators as the file will hold them, still easy to change. Constants stay where
 * they are (`Tensor` is lazy) until the file is written.
 */
import type { DType } from '../../graph/dtype.ts';
import type { Tensor } from '../../graph/tensor.ts';
import { type BuiltinOperator, UNIONS } from './schema.ts';

/** real = scale * (stored - zeroPoint); one pair, or one for each index of `axis`. */
export interface Quantization {
  readonly scales: readonly number[];
  readonly zeroPoints: readonly number[];
  readonly axis: number;
  /** Blocks along the last axis with float16 scales of their own, which stand in another tensor. */
  readonly blocks?: { readonly scales: TflTensor; readonly size: number };
}

export interface TflTensor {
  name: string;
  shape: readonly number[];
  dtype: DType;
  constant: Tensor | null;
  quantization: Quantization | null;
  /** Dimensions that a caller may change, as -1; null when all are fixed. */
  signature: readonly number[] | null;
}

export type OptionValue = number | boolean | string | readonly number[] | undefined;
export type Options = Readonly<Record<string, OptionValue>>;

export interface TflOperator {
  code: BuiltinOperator;
  inputs: (TflTensor | null)[];
  outputs: TflTensor[];
  /** Fields of the operator's option table. */
  options: Options;
  /** Label of the node that it was made for. */
  readonly source: string;
  /** Graphs that it runs, by the option that names them: condition and body of a WHILE. They see no tensors of this one. */
  readonly graphs?: Readonly<Record<string, TflGraph>>;
  /** Labels of further nodes that it computes: an activation that was fused, a quantization that it ends with. */
  fused?: readonly string[];
}

/** Says that an operator computes what another node was for. */
export function addSource(operator: TflOperator, ...labels: readonly string[]): void {
  operator.fused = [...new Set([...(operator.fused ?? []), ...labels])];
}

export interface TflValue {
  /** In the source model and in the signature. */
  readonly source: string;
  name: string;
  readonly tensor: TflTensor;
}

export interface TflGraph {
  readonly inputs: TflValue[];
  readonly outputs: TflValue[];
  operators: TflOperator[];
}

/** The graph and those that its operators run, each before what stands in it. */
export function withInnerGraphs(graph: TflGraph): TflGraph[] {
  return [
    graph,
    ...graph.operators.flatMap(({ graphs = {} }) => Object.values(graphs).flatMap((inner) => withInnerGraphs(inner))),
  ];
}

/** Option tables whose name does not follow from the operator's. */
const OPTION_TABLES: Partial<Record<BuiltinOperator, string | null>> = {
  CONV_2D: 'Conv2DOptions',
  CONV_3D: 'Conv3DOptions',
  CONV_3D_TRANSPOSE: 'Conv3DOptions',
  DEPTHWISE_CONV_2D: 'DepthwiseConv2DOptions',
  AVERAGE_POOL_2D: 'Pool2DOptions',
  MAX_POOL_2D: 'Pool2DOptions',
  L2_POOL_2D: 'Pool2DOptions',
  L2_NORMALIZATION: 'L2NormOptions',
  MEAN: 'ReducerOptions',
  SUM: 'ReducerOptions',
  REDUCE_PROD: 'ReducerOptions',
  REDUCE_MAX: 'ReducerOptions',
  REDUCE_MIN: 'ReducerOptions',
  REDUCE_ANY: 'ReducerOptions',
  REDUCE_ALL: 'ReducerOptions',
  MAXIMUM: 'MaximumMinimumOptions',
  MINIMUM: 'MaximumMinimumOptions',
  PADV2: 'PadV2Options',
  REVERSE_V2: 'ReverseV2Options',
  SELECT_V2: 'SelectV2Options',
  TOPK_V2: 'TopKV2Options',
  BATCH_MATMUL: 'BatchMatMulOptions',
  GATHER_ND: 'GatherNdOptions',
  SCATTER_ND: 'ScatterNdOptions',
  NON_MAX_SUPPRESSION_V4: 'NonMaxSuppressionV4Options',
  NON_MAX_SUPPRESSION_V5: 'NonMaxSuppressionV5Options',
  RESIZE_NEAREST_NEIGHBOR: 'ResizeNearestNeighborOptions',
  UNIDIRECTIONAL_SEQUENCE_LSTM: 'UnidirectionalSequenceLSTMOptions',
  BIDIRECTIONAL_SEQUENCE_LSTM: 'BidirectionalSequenceLSTMOptions',
  UNIDIRECTIONAL_SEQUENCE_RNN: 'SequenceRNNOptions',
  BIDIRECTIONAL_SEQUENCE_RNN: 'BidirectionalSequenceRNNOptions',
  RELU: null,
  RELU6: null,
  RELU_0_TO_1: null,
  RELU_N1_TO_1: null,
  TANH: null,
  LOGISTIC: null,
  ELU: null,
  FLOOR: null,
  CEIL: null,
  ROUND: null,
  SQRT: null,
  RSQRT: null,
  SIN: null,
  LOG: null,
  PRELU: null,
};

/** The option table of an operator; null when it has none. */
export function optionTable(code: BuiltinOperator): string | null {
  const known = OPTION_TABLES[code];
  if (known !== undefined) return known;
  const words = code.split('_').map((word) => word.charAt(0) + word.slice(1).toLowerCase());
  const table = `${words.join('')}Options`;
  return UNIONS['BuiltinOptions']?.includes(table) || UNIONS['BuiltinOptions2']?.includes(table) ? table : null;
}

/** The operators that read each tensor. */
export function readersOf(operators: readonly TflOperator[]): Map<TflTensor, TflOperator[]> {
  const readers = new Map<TflTensor, TflOperator[]>();
  for (const operator of operators) {
    for (const input of new Set(operator.inputs)) {
      if (input === null) continue;
      const known = readers.get(input);
      if (known === undefined) readers.set(input, [operator]);
      else known.push(operator);
    }
  }
  return readers;
}

export function makersOf(operators: readonly TflOperator[]): Map<TflTensor, TflOperator> {
  return new Map(operators.flatMap((operator) => operator.outputs.map((output) => [output, operator] as const)));
}
