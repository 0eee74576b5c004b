/** Tiny models made in code. */
import { type Attribute, intAttribute, intsAttribute } from '../../native-workers/graph/attribute.ts';
import type { DType } from '../../native-workers/graph/dtype.ts';
import { Graph } from '../../native-workers/graph/graph.ts';
import { Model } from '../../native-workers/graph/model.ts';
import { tensorFromFloat32 } from '../../native-workers/graph/tensor-values.ts';
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
