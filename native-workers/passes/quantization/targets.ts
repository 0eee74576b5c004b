/**
 * What each target runs on integers, as data. A target is where the model will run; a rule says what one operator needs so
 * that the target's runtime fuses it to an integer kernel. Whatever has no rule stays float.
 * Source for `cpu`: ONNX Runtime's qdq_selector_action_transformer.cc and runs with 1.30 (compression.md 1.6).
 */

export interface OperatorRule {
  /**
   * `compute`: has a constant weight and does the work. `elementwise`: runs on integers when all its inputs do.
   * `follows`: moves codes around, so that its output has the parameters of its input. `activation`: is absorbed by the
   * compute or elementwise node before it, when the quantized range says the same as the activation.
   */
  readonly role: 'compute' | 'elementwise' | 'follows' | 'activation';
  /** Whether the runtime needs the output quantized to fuse; without, the output stays float where that serves. */
  readonly output?: 'quantized' | 'optional';
}

export interface QuantizationTarget {
  readonly id: string;
  readonly title: string;
  readonly activation: 'uint8' | 'int8';
  readonly activationSymmetric: boolean;
  readonly perChannel: boolean;
  /** Operators whose weights must have one scale all the same. */
  readonly perTensorOperators: readonly string[];
  /** Bias as int32 with scale input x weight, or left float. */
  readonly bias: 'int32' | 'float';
  /** Whether a depthwise convolution gains: on x86 CPUs it loses (0.247 against 0.099 ms at 32 channels). */
  readonly depthwise: boolean;
  readonly rules: Readonly<Record<string, OperatorRule>>;
  /**
   * The kernel that the runtime makes of a quantized node, as `domain:type`, for the check of the optimised graph; null where
   * that graph cannot be read here.
   */
  readonly kernels: Readonly<Record<string, string>> | null;
}

const compute = (output: 'quantized' | 'optional'): OperatorRule => ({ role: 'compute', output });
const elementwise: OperatorRule = { role: 'elementwise', output: 'quantized' };
const follows: OperatorRule = { role: 'follows' };
const activation: OperatorRule = { role: 'activation' };

const MOVES: Record<string, OperatorRule> = {
  Reshape: follows,
  Transpose: follows,
  Flatten: follows,
  Squeeze: follows,
  Unsqueeze: follows,
  MaxPool: follows,
  DepthToSpace: follows,
};

const CPU: QuantizationTarget = {
  id: 'cpu',
  title: 'ONNX Runtime on x86 CPUs',
  activation: 'uint8',
  activationSymmetric: false,
  perChannel: true,
  perTensorOperators: [],
  bias: 'int32',
  depthwise: true,
  rules: {
    Conv: compute('quantized'),
    MatMul: compute('optional'),
    Gemm: compute('optional'),
    Add: elementwise,
    Mul: elementwise,
    AveragePool: elementwise,
    GlobalAveragePool: elementwise,
    LeakyRelu: elementwise,
    Concat: elementwise,
    Relu: activation,
    Clip: activation,
    ...MOVES,
  },
  kernels: {
    Conv: ':QLinearConv',
    MatMul: ':QLinearMatMul',
    Gemm: 'com.microsoft:QGemm',
    Add: 'com.microsoft:QLinearAdd',
    Mul: 'com.microsoft:QLinearMul',
    AveragePool: 'com.microsoft:QLinearAveragePool',
    GlobalAveragePool: 'com.microsoft:QLinearGlobalAveragePool',
    LeakyRelu: 'com.microsoft:QLinearLeakyRelu',
    Concat: 'com.microsoft:QLinearConcat',
  },
};

/** ARM CPUs multiply signed by signed natively; with `session.qdqisint8allowed` the runtime keeps int8 activations. */
const ARM: QuantizationTarget = { ...CPU, id: 'arm', title: 'ONNX Runtime on ARM CPUs', activation: 'int8' };

/** TFLite's int8 rules: int8 activations of any zero point, weights symmetric per channel, int32 bias (conversion.md 1.5). */
const TFLITE: QuantizationTarget = {
  ...CPU,
  id: 'tflite',
  title: 'TFLite and LiteRT',
  activation: 'int8',
  depthwise: true,
  rules: {
    ...CPU.rules,
    MatMul: compute('quantized'),
    Gemm: compute('quantized'),
    Softmax: elementwise,
    Sigmoid: elementwise,
    Tanh: elementwise,
    HardSwish: elementwise,
    Sub: elementwise,
    ReduceMean: elementwise,
    Resize: follows,
    Pad: follows,
    Slice: follows,
  },
  kernels: null,
};

/** Core ML W8A8: Q/DQ on activations around convolutions and linear layers, symmetric, weights as constexpr (iOS 17). */
const COREML: QuantizationTarget = {
  ...CPU,
  id: 'coreml',
  title: 'Core ML on the Neural Engine',
  activation: 'int8',
  activationSymmetric: true,
  bias: 'float',
  rules: {
    Conv: compute('optional'),
    MatMul: compute('optional'),
    Gemm: compute('optional'),
    Relu: activation,
    Clip: activation,
  },
  kernels: null,
};

/** get_qnn_qdq_config: uint8 both, per channel for convolutions only (compression.md 1.4). */
const QNN: QuantizationTarget = {
  ...CPU,
  id: 'qnn',
  title: 'Qualcomm NPUs through QNN',
  perTensorOperators: ['MatMul', 'Gemm'],
  rules: { ...TFLITE.rules },
  kernels: null,
};

/** TensorRT: symmetric int8, Q/DQ on the inputs only, bias float (compression.md 1.4). */
const TENSORRT: QuantizationTarget = {
  ...CPU,
  id: 'tensorrt',
  title: 'NVIDIA GPUs through TensorRT',
  activation: 'int8',
  activationSymmetric: true,
  bias: 'float',
  rules: { Conv: compute('optional'), MatMul: compute('optional'), Gemm: compute('optional'), Relu: activation },
  kernels: null,
};

const DIRECTML: QuantizationTarget = { ...CPU, id: 'directml', title: 'Windows GPUs through DirectML', kernels: null };

export const QUANTIZATION_TARGETS: Readonly<Record<string, QuantizationTarget>> = {
  cpu: CPU,
  arm: ARM,
  tflite: TFLITE,
  coreml: COREML,
  qnn: QNN,
  tensorrt: TENSORRT,
  directml: DIRECTML,
};
