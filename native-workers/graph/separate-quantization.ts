/**
 * Operators that compute on integers with scales of their own (QLinearConv, MatMulInteger, ONNX Runtime's QLinearAdd and the
 * like) as DequantizeLinear, the plain operator and QuantizeLinear. That is one form for what a converter must know of
 * quantization, and what quantizing tools write today. Formulas are those of ONNX's pages and of ONNX Runtime's contrib
 * operators.
 */
import { type Attribute, intAttribute } from './attribute.ts';
import { DTYPES } from './dtype.ts';
import type { Graph } from './graph.ts';
import { isSymmetric } from './join-dynamic-products.ts';
import type { Model } from './model.ts';
import type { Node } from './node.ts';
import { scalarTensor, tensorFromNumbers } from './tensor-values.ts';
import type { Value } from './value.ts';

/** Rewrites the main graph. Returns how many nodes were. */
export function separateQuantization(model: Model): number {
  const separator = new Separator(model);
  let count = 0;
  for (const node of [...model.graph.nodes]) {
    const made = separator.separate(node);
    if (made === null) continue;
    node.outputs.forEach((output, index) => {
      const value = made[index];
      if (output !== null && value !== undefined) model.graph.replaceValue(output, value);
    });
    model.graph.removeNode(node);
    count++;
  }
  return count;
}

/** ONNX Runtime's operators of `X, scale, zero point` and then the output's scale and zero point. */
const UNARY: Readonly<Record<string, string>> = {
  QLinearSigmoid: 'Sigmoid',
  QLinearLeakyRelu: 'LeakyRelu',
  QLinearAveragePool: 'AveragePool',
  QLinearGlobalAveragePool: 'GlobalAveragePool',
};
const BINARY: Readonly<Record<string, string>> = { QLinearAdd: 'Add', QLinearMul: 'Mul' };

class Separator {
  readonly #model: Model;
  readonly #graph: Graph;

  constructor(model: Model) {
    this.#model = model;
    this.#graph = model.graph;
  }

  separate(node: Node): Value[] | null {
    const { inputs } = node;
    if (node.is('QLinearConv')) return this.#convolution(node);
    if (node.is('QLinearMatMul')) {
      const product = this.#main(node, 'MatMul', [this.#real(node, 0), this.#real(node, 3, -1)]);
      return [this.#quantized(node, product, inputs[6], inputs[7])];
    }
    if (node.is('MatMulInteger', 'ConvInteger')) return this.#integerProduct(node);
    if (node.is('DynamicQuantizeLinear')) return this.#dynamic(node);
    if (node.domain !== 'com.microsoft' || node.int('channels_last', 0) === 1) return null;
    const unary = UNARY[node.opType];
    if (unary !== undefined) {
      const y = this.#main(node, unary, [this.#real(node, 0)], attributesOf(node));
      return [this.#quantized(node, y, inputs[3], inputs[4])];
    }
    const binary = BINARY[node.opType];
    if (binary !== undefined) {
      const y = this.#main(node, binary, [this.#real(node, 0), this.#real(node, 3)]);
      return [this.#quantized(node, y, inputs[6], inputs[7])];
    }
    if (node.opType === 'QLinearSoftmax') return this.#softmax(node);
    if (node.opType === 'QGemm') return this.#gemm(node);
    if (node.opType === 'MatMulIntegerToFloat') {
      const a = this.#dequantized(node, inputs[0] as Value, inputs[2] as Value, inputs[4] ?? null);
      return [this.#product(node, a, [1, 3, 5], 6)];
    }
    if (node.opType === 'DynamicQuantizeMatMul' && !isSymmetric(inputs[1], inputs[3])) {
      const [codes, scale, zero] = this.#dynamic(node) as [Value, Value, Value];
      return [this.#product(node, this.#dequantized(node, codes, scale, zero), [1, 2, 3], 4)];
    }
    if (node.opType === 'QLinearConcat') {
      const parts: Value[] = [];
      for (let index = 2; index < inputs.length; index += 3) parts.push(this.#real(node, index));
      const y = this.#main(node, 'Concat', parts, attributesOf(node));
      return [this.#quantized(node, y, inputs[0], inputs[1])];
    }
    return null;
  }

  /** The bias is int32, with the product of the scales of input and weights. */
  #convolution(node: Node): Value[] {
    const [, scale, , , weightScale, , outputScale, outputZero, bias] = node.inputs;
    const operands = [this.#real(node, 0), this.#real(node, 3, 0)];
    if (bias && scale && weightScale) {
      const product = this.#add(node, 'Mul', [scale, weightScale]);
      operands.push(this.#dequantized(node, bias, product, null, 0));
    }
    const y = this.#main(node, 'Conv', operands, attributesOf(node));
    return [this.#quantized(node, y, outputScale, outputZero)];
  }

  /** The bias is int32, with alpha times the product of both scales. Without a scale for it, the output is float. */
  #gemm(node: Node): Value[] {
    const [, scale, , , weightScale, , bias, outputScale, outputZero] = node.inputs;
    const operands = [this.#real(node, 0), this.#real(node, 3, node.int('transB', 0) === 1 ? 0 : 1)];
    if (bias && scale && weightScale) {
      const product = this.#add(node, 'Mul', [scale, weightScale]);
      const alpha = node.float('alpha', 1);
      const scaled = alpha === 1 ? product : this.#add(node, 'Mul', [product, this.#number(node, alpha)]);
      // One scale for each column: those of the last dimension, which is the only one of a bias of that many.
      operands.push(this.#dequantized(node, bias, scaled, null, 0));
    }
    const y = this.#main(node, 'Gemm', operands, attributesOf(node));
    return [outputScale ? this.#quantized(node, y, outputScale, outputZero) : y];
  }

  /** Before opset 13 an axis is where the dimensions are cut in two; the operator says itself which it follows. */
  #softmax(node: Node): Value[] | null {
    if (node.int('opset', 13) >= 13 !== this.#model.opset >= 13) return null;
    const axis = node.attributes.get('axis');
    const y = this.#main(node, 'Softmax', [this.#real(node, 0)], axis === undefined ? [] : [['axis', axis]]);
    return [this.#quantized(node, y, node.inputs[3], node.inputs[4])];
  }

  /** A product with weights, whose scale is one or one for each column, and a float bias. Places of operands: codes, scale, zero. */
  #product(node: Node, a: Value, [codes, scale, zero]: readonly [number, number, number], biasIndex: number): Value {
    const weights = node.inputs[codes] as Value;
    const b = this.#dequantized(node, weights, node.inputs[scale] as Value, node.inputs[zero] ?? null, -1);
    const y = this.#main(node, 'MatMul', [a, b]);
    const bias = node.inputs[biasIndex];
    return bias ? this.#add(node, 'Add', [y, bias]) : y;
  }

  #number(node: Node, value: number): Value {
    return this.#graph.addInitializer(this.#graph.uniqueName(`${node.label}/number`), scalarTensor('float32', value));
  }

  /** Integers without scales: these are 1, and what comes out is an integer again. */
  #integerProduct(node: Node): Value[] {
    const isConv = node.opType === 'ConvInteger';
    const plain = (index: number, axis: number): Value => {
      const zero = node.inputs[index + 2] ?? null;
      const count = zero?.tensor?.shape.length === 1 ? (zero.tensor.shape[0] ?? 1) : 1;
      const tensor =
        count === 1
          ? scalarTensor('float32', 1)
          : tensorFromNumbers('float32', new Float32Array(count).fill(1), [count]);
      const scale = this.#graph.addInitializer(this.#graph.uniqueName(`${node.label}/one`), tensor);
      return this.#dequantized(node, node.inputs[index] as Value, scale, zero, axis);
    };
    const operands = [plain(0, isConv ? 1 : -2), plain(1, isConv ? 0 : -1)];
    const y = this.#main(node, isConv ? 'Conv' : 'MatMul', operands, attributesOf(node));
    return [this.#add(node, 'Cast', [y], [['to', intAttribute(DTYPES.int32.code)]])];
  }

  /** Scale and zero point from the least and the greatest of the input, zero among them. */
  #dynamic(node: Node): Value[] {
    const x = node.inputs[0] as Value;
    const number = (value: number): Value => this.#number(node, value);
    const add = (type: string, ...inputs: Value[]): Value => this.#add(node, type, inputs);
    const flat: readonly (readonly [string, Attribute])[] = [['keepdims', intAttribute(0)]];
    const zero = number(0);
    const most = add('Max', this.#add(node, 'ReduceMax', [x], flat), zero);
    const least = add('Min', this.#add(node, 'ReduceMin', [x], flat), zero);
    const range = add('Sub', most, least);
    const steps = add('Div', range, number(255));
    // All zeros: any scale will do.
    const scale = add('Where', add('Equal', range, zero), number(1), steps);
    const place = add('Round', add('Neg', add('Div', least, scale)));
    const inside = add('Min', add('Max', place, zero), number(255));
    const zeroPoint = this.#add(node, 'Cast', [inside], [['to', intAttribute(DTYPES.uint8.code)]]);
    return [this.#add(node, 'QuantizeLinear', [x, scale, zeroPoint]), scale, zeroPoint];
  }

  /** Operand `index` of the node with the scale and the zero point that follow it. */
  #real(node: Node, index: number, axis?: number): Value {
    const [x, scale, zero = null] = node.inputs.slice(index, index + 3) as [Value, Value, Value | null];
    return this.#dequantized(node, x, scale, zero, axis);
  }

  #dequantized(node: Node, x: Value, scale: Value, zero: Value | null, axis?: number): Value {
    const inputs = zero === null ? [x, scale] : [x, scale, zero];
    return this.#add(
      node,
      'DequantizeLinear',
      inputs,
      axis === undefined ? [] : [['axis', intAttribute(axis)]],
      this.#domain,
    );
  }

  #quantized(node: Node, x: Value, scale: Value | null | undefined, zero: Value | null | undefined): Value {
    return this.#add(node, 'QuantizeLinear', zero ? [x, scale as Value, zero] : [x, scale as Value], [], this.#domain);
  }

  /** ONNX's own have an axis since opset 13; ONNX Runtime's had it before. */
  get #domain(): string {
    if (this.#model.opset >= 13) return '';
    if (!this.#model.opsets.has('com.microsoft')) this.#model.opsets.set('com.microsoft', 1);
    return 'com.microsoft';
  }

  /** The operator that does what the node did, under its label. */
  #main(
    node: Node,
    opType: string,
    inputs: readonly Value[],
    attributes: readonly (readonly [string, Attribute])[] = [],
  ): Value {
    const output = this.#graph.createValue(`${node.label}/${opType}`);
    this.#graph.addNode({ opType, name: node.label, inputs, outputs: [output], attributes });
    return output;
  }

  #add(
    node: Node,
    opType: string,
    inputs: readonly Value[],
    attributes: readonly (readonly [string, Attribute])[] = [],
    domain = '',
  ): Value {
    const output = this.#graph.createValue(`${node.label}/${opType}`);
    this.#graph.addNode({ opType, domain, name: output.name, inputs, outputs: [output], attributes });
    return output;
  }
}

const attributesOf = (node: Node): [string, Attribute][] =>
  [...node.attributes].filter(([name]) => name !== 'channels_last');
