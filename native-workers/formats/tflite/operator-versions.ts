/**
 * The version of an operator that its types and options need: too low fails older delegates, too high does not load.
 * Source of the rules: LiteRT's tflite/tools/versioning/op_version.cc.
 */
import type { TflOperator, TflTensor } from './ir.ts';
import type { BuiltinOperator } from './schema.ts';
import versions from './versions.json' with { type: 'json' };

const FIRST_RUNTIME: Readonly<Record<string, Readonly<Record<string, string>>>> = versions.minRuntime;
const REGISTERED: Readonly<Record<string, readonly number[]>> = versions.registered;

export function operatorVersion(operator: TflOperator): number {
  const version = neededVersion(operator);
  const [lowest = 1, highest = version] = REGISTERED[operator.code] ?? [];
  return Math.min(highest, Math.max(lowest, version));
}

/** The first runtime that knows all of these operators: `2.9.0`. */
export function firstRuntime(operators: readonly TflOperator[]): string {
  let first = '1.5.0';
  for (const operator of operators) {
    const known = FIRST_RUNTIME[operator.code]?.[operatorVersion(operator)];
    if (known !== undefined && isLater(known, first)) first = known;
  }
  return first;
}

/** Whether this runtime has a kernel for the operator at all. */
export function isRegistered(code: BuiltinOperator): boolean {
  return REGISTERED[code] !== undefined;
}

function isLater(a: string, b: string): boolean {
  const [left, right] = [a, b].map((text) => text.split('.').map(Number));
  for (let index = 0; index < 3; index++) {
    const difference = (left?.[index] ?? 0) - (right?.[index] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return false;
}

/** Operators that are version 2 for int8 and 3 for int16, where nothing more is said. */
const PLAIN_EIGHT_BIT: ReadonlySet<BuiltinOperator> = new Set([
  'ADD',
  'SUB',
  'MUL',
  'MAX_POOL_2D',
  'AVERAGE_POOL_2D',
  'SOFTMAX',
  'LOGISTIC',
  'TANH',
  'MEAN',
  'PAD',
  'PADV2',
  'CONCATENATION',
  'TRANSPOSE',
  'SLICE',
  'GATHER',
  'BATCH_MATMUL',
  'RELU',
  'RELU6',
  'REDUCE_MAX',
  'REDUCE_MIN',
  'SUM',
  'SPLIT',
  'RESIZE_BILINEAR',
  'RESIZE_NEAREST_NEIGHBOR',
  'MAXIMUM',
  'MINIMUM',
  'EQUAL',
  'NOT_EQUAL',
  'GREATER',
  'LESS',
  'GREATER_EQUAL',
  'LESS_EQUAL',
  'STRIDED_SLICE',
  'SPACE_TO_DEPTH',
  'DEPTH_TO_SPACE',
  'LEAKY_RELU',
  'ARG_MAX',
  'ARG_MIN',
  'TOPK_V2',
  'PACK',
  'UNPACK',
  'SQUEEZE',
  'GELU',
  'LOG_SOFTMAX',
  'L2_NORMALIZATION',
  'MIRROR_PAD',
  'EXP',
  'LOG',
  'RSQRT',
  'SQUARED_DIFFERENCE',
  'EXPAND_DIMS',
  'REDUCE_PROD',
]);

/** By rank beyond four. Source: the same file. */
const LARGE_RANK: Partial<Record<BuiltinOperator, (rank: number) => number>> = {
  TRANSPOSE: (rank) => (rank > 6 ? 8 : rank === 6 ? 6 : 4),
  SLICE: () => 5,
  PAD: () => 4,
  STRIDED_SLICE: () => 4,
};

const isConstantOf = (tensor: TflTensor | null | undefined, dtype: string): boolean =>
  tensor !== null && tensor !== undefined && tensor.dtype === dtype;

function neededVersion(operator: TflOperator): number {
  const { code, inputs, outputs, options } = operator;
  const [first] = inputs;
  const dtype = first?.dtype ?? 'float32';
  const rank = Math.max(...[...inputs, ...outputs].map((tensor) => tensor?.shape.length ?? 0));
  switch (code) {
    case 'CONV_2D':
      return convolution(operator);
    case 'DEPTHWISE_CONV_2D':
      return depthwise(operator);
    case 'FULLY_CONNECTED':
      return fullyConnected(operator);
    case 'TRANSPOSE_CONV':
      if ((options['fused_activation_function'] ?? 0) !== 0) return 4;
      if (inputs[3] !== undefined && inputs[3] !== null) return 3;
      return isConstantOf(inputs[2], 'int8') ? 2 : 1;
    case 'BATCH_MATMUL':
      return dtype === 'int16' ? 3 : dtype === 'int8' ? 2 : 1;
    case 'DEQUANTIZE':
      if (dtype === 'int4') return 6;
      if ((first?.quantization?.scales.length ?? 0) > 1) return 5;
      return dtype === 'float16' || dtype === 'int16' ? 3 : dtype === 'int8' ? 2 : 1;
    case 'QUANTIZE':
      if (isConstantOf(outputs[0], 'int4')) return 4;
      return dtype === 'int16' || isConstantOf(outputs[0], 'int16') ? 2 : 1;
    case 'CAST': {
      const types = [dtype, outputs[0]?.dtype];
      if (types.includes('bfloat16')) return 7;
      if (types.includes('int4')) return 6;
      if (types.includes('float16') || types.includes('float64')) return 5;
      if (types.includes('uint32')) return 4;
      return types.includes('int8') ? 3 : types.includes('uint16') || types.includes('int16') ? 2 : 1;
    }
    case 'RESIZE_BILINEAR':
      if (options['half_pixel_centers'] === true) return 3;
      return dtype === 'int8' ? 2 : 1;
    case 'RESIZE_NEAREST_NEIGHBOR':
      if (options['half_pixel_centers'] === true || options['align_corners'] === true) return 3;
      return dtype === 'int8' ? 2 : 1;
    case 'ADD':
    case 'SUB':
    case 'MUL':
      return arithmetic(operator, dtype, rank);
    case 'RESHAPE':
      return 1;
    case 'BROADCAST_TO':
      return dtype === 'int8' || dtype === 'int16' ? 3 : 2;
  }
  const large = rank > 4 ? LARGE_RANK[code] : undefined;
  if (large !== undefined) return large(rank);
  if (rank > 4 && (code === 'MAXIMUM' || code === 'MINIMUM')) return 3;
  if (rank > 4 && code === 'DIV') return 2;
  if (dtype === 'bool' && ['GATHER', 'TRANSPOSE', 'STRIDED_SLICE', 'UNPACK'].includes(code)) return 3;
  if (!PLAIN_EIGHT_BIT.has(code)) return 1;
  return dtype === 'int16' ? 3 : dtype === 'int8' ? 2 : 1;
}

function convolution({ inputs }: TflOperator): number {
  const [x, filter] = inputs;
  if (isConstantOf(filter, 'int4') && x?.dtype === 'int8') return 7;
  if (x?.dtype === 'int16') return 4;
  if ((x?.shape[3] ?? 0) !== (filter?.shape[3] ?? 0)) return 6;
  if (x?.dtype === 'int8') return 3;
  if (x?.dtype === 'float32' && filter?.dtype === 'int8') return (filter.quantization?.scales.length ?? 1) > 1 ? 5 : 2;
  return 1;
}

function depthwise({ inputs, options }: TflOperator): number {
  const [x, filter] = inputs;
  if (isConstantOf(filter, 'int4')) return 7;
  if (x?.dtype === 'int16') return 5;
  if (x?.dtype === 'int8') return 3;
  if (x?.dtype === 'float32' && filter?.dtype === 'int8') return (filter.quantization?.scales.length ?? 1) > 1 ? 6 : 4;
  return options['dilation_w_factor'] !== 1 || options['dilation_h_factor'] !== 1 ? 2 : 1;
}

function fullyConnected({ inputs, options }: TflOperator): number {
  const [x, weights, bias] = inputs;
  const perChannel = (weights?.quantization?.scales.length ?? 1) > 1;
  if (x?.dtype === 'int16') return isConstantOf(weights, 'int4') ? 13 : 7;
  if (x?.dtype === 'float32' && weights !== null && weights !== undefined && weights.dtype !== 'float32') {
    return perChannel || weights.quantization?.blocks !== undefined ? 12 : 3;
  }
  if (bias === null || bias === undefined) return 6;
  if (options['keep_num_dims'] === true) return 5;
  if (x?.dtype === 'int8') return isConstantOf(weights, 'int4') ? 10 : 4;
  return 1;
}

function arithmetic(operator: TflOperator, dtype: string, rank: number): number {
  const { code, inputs, outputs } = operator;
  if (dtype === 'int64') return code === 'MUL' ? 5 : 4;
  if (code === 'SUB' && rank > 4 && inputs[0]?.shape.join() !== inputs[1]?.shape.join()) return 3;
  if (dtype === 'int16' && inputs[0]?.quantization !== null) return code === 'MUL' ? 4 : 3;
  if (dtype !== 'int8') return 1;
  if (code !== 'MUL') return 2;
  const [a, b, o] = [inputs[0], inputs[1], outputs[0]].map((tensor) => tensor?.quantization?.scales[0] ?? 1);
  return (Number(a) * Number(b)) / Number(o) >= 1 ? 3 : 2;
}
