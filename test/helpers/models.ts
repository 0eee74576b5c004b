/** Tiny models made in code. */
import { type Attribute, intAttribute, intsAttribute } from '../../native-workers/graph/attribute.ts';
import type { DType } from '../../native-workers/graph/dtype.ts';
import { Graph } from '../../native-workers/graph/graph.ts';
import { Model } from '../../native-workers/graph/model.ts';
import { Tensor } from '../../native-workers/graph/tensor.ts';
import { tensorFromFloat32, tensorFromNumbers } from '../../native-workers/graph/tensor-values.ts';
import { type Dim, tensorType } from '../../native-workers/graph/types.ts';
import type { Value } from '../../native-workers/graph/value.ts';
import { Random } from '../../native-workers/lib/random.ts';

/** A graph under construction: inputs, weights, operators one after another. */
export class ModelBuilder {
  readonly graph: Graph;
  readonly #random: Random;

  constructor(name = 'tiny', seed = 1) {
    this.graph = new Graph(name);
    this.#random = new Random(seed);
  }

  input(name: string, shape: readonly Dim[], dtype: DType = 'float32'): Value {
    return this.graph.addInput(name, tensorType(dtype, shape));
  }

  /** An initializer of normal values with the given deviation. */
  weight(name: string, shape: readonly number[], deviation = 0.1): Value {
    const values = Float32Array.from(
      { length: shape.reduce((all, dim) => all * dim, 1) },
      () => this.#random.normal() * deviation,
    );
    return this.graph.addInitializer(name, tensorFromFloat32(values, shape));
  }

  /** Adds a node and returns its first output, which is called `name`. */
  op(
    opType: string,
    inputs: readonly (Value | null)[],
    name: string,
    attributes: Readonly<Record<string, number | readonly number[] | Attribute>> = {},
    domain = '',
  ): Value {
    const output = this.graph.createValue(name);
    this.graph.addNode({
      opType,
      domain,
      name: `${name}_node`,
      inputs,
      outputs: [output],
      attributes: Object.entries(attributes).map(([key, value]) => [key, attributeOf(value)] as const),
    });
    return output;
  }

  /** Makes values the outputs; their types are what they are given here, or unknown. */
  outputs(...values: Value[]): this {
    for (const value of values) {
      value.type ??= tensorType('float32', null);
      this.graph.outputs.push(value);
    }
    return this;
  }

  model(opset = 17, irVersion = 8): Model {
    return new Model(this.graph, opset, irVersion);
  }
}

function attributeOf(value: number | readonly number[] | Attribute): Attribute {
  if (typeof value === 'number') return intAttribute(value);
  return Array.isArray(value) ? intsAttribute(value) : (value as Attribute);
}

/** Conv -> Relu -> global pool -> Gemm, of an image [batch, 3, 8, 8] to 4 scores. */
export function tinyClassifier(): Model {
  const build = new ModelBuilder('classifier');
  const image = build.input('image', ['batch', 3, 8, 8]);
  const kernel = build.weight('kernel', [4, 3, 3, 3]);
  const bias = build.weight('bias', [4]);
  const convolved = build.op('Conv', [image, kernel, bias], 'convolved', { pads: [1, 1, 1, 1], kernel_shape: [3, 3] });
  const pooled = build.op('GlobalAveragePool', [build.op('Relu', [convolved], 'active')], 'pooled');
  const flat = build.op('Flatten', [pooled], 'flat');
  const scores = build.op('Gemm', [flat, build.weight('weight', [4, 4]), build.weight('offset', [4])], 'scores', {
    transB: 1,
  });
  scores.type = tensorType('float32', ['batch', 4]);
  return build.outputs(scores).model();
}

/** A convolution between Quantize and Dequantize, with signed activations: what the rules of the two processors differ in. */
export function tinyQuantized(): Model {
  const build = new ModelBuilder();
  const scale = (name: string, value: number): Value =>
    build.graph.addInitializer(name, tensorFromNumbers('float32', [value], []));
  const zero = build.graph.addInitializer('zero', tensorFromNumbers('int8', [0], []));
  const pair = (value: Value, name: string, size: Value): Value =>
    build.op('DequantizeLinear', [build.op('QuantizeLinear', [value, size, zero], `${name}_q`), size, zero], name);
  const codes = Array.from({ length: 32 * 16 * 9 }, (_, index) => (index % 200) - 100);
  const weights = build.graph.addInitializer('w', tensorFromNumbers('int8', codes, [32, 16, 3, 3]));
  const w = build.op('DequantizeLinear', [weights, scale('w_scale', 0.0107), zero], 'w_real');
  const x = pair(build.input('x', [1, 16, 8, 8]), 'x_real', scale('x_scale', 0.0213));
  const y = pair(build.op('Conv', [x, w], 'c'), 'c_real', scale('c_scale', 0.0971));
  return build.outputs(pair(build.op('Softmax', [y], 's'), 'y', scale('s_scale', 0.01))).model();
}

/** A tensor of a size that no test could write, whose bytes must not be asked for. */
export function unread(byteLength: number, dtype: DType = 'uint8', shape: readonly number[] = [byteLength]): Tensor {
  const refuse = (): never => {
    throw new Error('the bytes of a tensor were asked for');
  };
  return new Tensor({ dtype, shape, data: { byteLength, read: refuse, chunks: refuse } });
}
