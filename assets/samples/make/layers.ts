/**
 * Layers that write themselves into an ONNX graph, forwards and, for training, backwards: ONNX Runtime has no gradients, but
 * the gradient of each of these is made of ordinary operators. Shapes are static (batch, channels, height, width).
 */

import type { Attribute } from '../../../native-workers/graph/attribute.ts';
import { floatAttribute, intAttribute, intsAttribute } from '../../../native-workers/graph/attribute.ts';
import type { Graph } from '../../../native-workers/graph/graph.ts';
import { Tensor } from '../../../native-workers/graph/tensor.ts';
import { MemoryData } from '../../../native-workers/graph/tensor-data.ts';
import { tensorType } from '../../../native-workers/graph/types.ts';
import type { Value } from '../../../native-workers/graph/value.ts';

/** A value with its static shape. */
export interface Signal {
  readonly value: Value;
  readonly shape: readonly number[];
}

/** Takes the gradient of an output and returns nothing: it adds to the gradients of its inputs by `Tape.accumulate`. */
type Backward = () => void;

const BATCH_NORM_EPSILON = 1e-5;

export class Tape {
  readonly graph: Graph;
  /** Parameters by name, as graph inputs when training and initializers when exporting. */
  readonly parameters: Map<string, Signal> = new Map();
  /** Names of the batch statistics that the training graph gives out, by the parameter prefix. */
  readonly statistics: Map<string, { readonly mean: Value; readonly variance: Value }> = new Map();
  readonly #backward: Backward[] = [];
  readonly #gradients: Map<Value, Value> = new Map();
  readonly #parameter: (name: string, shape: readonly number[]) => Value;
  readonly #training: boolean;

  constructor(graph: Graph, training: boolean, parameter: (name: string, shape: readonly number[]) => Value) {
    this.graph = graph;
    this.#training = training;
    this.#parameter = parameter;
  }

  parameter(name: string, shape: readonly number[]): Signal {
    const signal = { value: this.#parameter(name, shape), shape };
    this.parameters.set(name, signal);
    return signal;
  }

  op(
    opType: string,
    inputs: readonly Value[],
    shape: readonly number[] | null,
    attributes: Record<string, Attribute> = {},
  ): Value {
    const output = this.graph.createValue(opType.toLowerCase(), tensorType('float32', shape));
    this.graph.addNode({
      opType,
      name: output.name,
      inputs,
      outputs: [output],
      attributes: Object.entries(attributes),
    });
    return output;
  }

  constant(values: readonly number[], shape: readonly number[] = [], dtype: 'float32' | 'int64' = 'float32'): Value {
    const array = dtype === 'float32' ? Float32Array.from(values) : BigInt64Array.from(values, BigInt);
    const tensor = new Tensor({ dtype, shape, data: new MemoryData(new Uint8Array(array.buffer)) });
    return this.graph.addInitializer(this.graph.uniqueName('constant'), tensor);
  }

  accumulate(target: Value, gradient: Value): void {
    const before = this.#gradients.get(target);
    this.#gradients.set(target, before === undefined ? gradient : this.op('Add', [before, gradient], null));
  }

  gradient(value: Value): Value {
    const gradient = this.#gradients.get(value);
    if (gradient === undefined) throw new Error(`${value.name} has no gradient`);
    return gradient;
  }

  /** Writes the backward graph, from the last layer to the first. */
  backward(): void {
    for (const step of this.#backward.reverse()) step();
  }

  /** A square convolution without bias; padding keeps the size up to the stride. */
  conv(x: Signal, name: string, outputs: number, kernel: number, stride: number): Signal {
    const [batch = 1, inputs = 1, height = 1] = x.shape;
    const pad = (kernel - 1) / 2;
    const size = Math.ceil(height / stride);
    const weight = this.parameter(`${name}.weight`, [outputs, inputs, kernel, kernel]);
    const pads = intsAttribute([pad, pad, pad, pad]);
    const strides = intsAttribute([stride, stride]);
    const shape = [batch, outputs, size, size];
    const y = this.op('Conv', [x.value, weight.value], shape, {
      kernel_shape: intsAttribute([kernel, kernel]),
      pads,
      strides,
    });
    this.#backward.push(() => {
      const g = this.gradient(y);
      // dW is a convolution of the input with the gradient, batch and channels swapped, the stride become a dilation.
      const swap = { perm: intsAttribute([1, 0, 2, 3]) };
      const full = this.op(
        'Conv',
        [this.op('Transpose', [x.value], null, swap), this.op('Transpose', [g], null, swap)],
        null,
        {
          pads,
          dilations: strides,
        },
      );
      const window = [
        this.constant([0, 0], [2], 'int64'),
        this.constant([kernel, kernel], [2], 'int64'),
        this.constant([2, 3], [2], 'int64'),
      ];
      this.accumulate(weight.value, this.op('Transpose', [this.op('Slice', [full, ...window], null)], null, swap));
      // What the strided forward pass left over at the end comes back as output padding.
      const left = height - ((size - 1) * stride - 2 * pad + kernel);
      const extra = intsAttribute([left, left]);
      this.accumulate(
        x.value,
        this.op('ConvTranspose', [g, weight.value], null, { pads, strides, output_padding: extra }),
      );
    });
    return { value: y, shape };
  }

  /** Batch normalization: over the batch when training, by the running statistics when exporting. */
  batchNorm(x: Signal, name: string): Signal {
    const [, channels = 1] = x.shape;
    const gamma = this.parameter(`${name}.gamma`, [channels]);
    const beta = this.parameter(`${name}.beta`, [channels]);
    if (!this.#training) {
      const mean = this.parameter(`${name}.mean`, [channels]);
      const variance = this.parameter(`${name}.variance`, [channels]);
      const inputs = [x.value, gamma.value, beta.value, mean.value, variance.value];
      return {
        value: this.op('BatchNormalization', inputs, x.shape, { epsilon: floatAttribute(BATCH_NORM_EPSILON) }),
        shape: x.shape,
      };
    }
    const over = { axes: intsAttribute([0, 2, 3]) };
    const column = this.constant([1, channels, 1, 1], [4], 'int64');
    const scale = this.op('Reshape', [gamma.value, column], null);
    const mean = this.op('ReduceMean', [x.value], null, over);
    const centred = this.op('Sub', [x.value, mean], null);
    const variance = this.op('ReduceMean', [this.op('Mul', [centred, centred], null)], null, over);
    const inverse = this.op(
      'Reciprocal',
      [this.op('Sqrt', [this.op('Add', [variance, this.constant([BATCH_NORM_EPSILON])], null)], null)],
      null,
    );
    const normal = this.op('Mul', [centred, inverse], null);
    const y = this.op(
      'Add',
      [this.op('Mul', [normal, scale], null), this.op('Reshape', [beta.value, column], null)],
      x.shape,
    );
    this.statistics.set(name, { mean, variance });
    this.#backward.push(() => {
      const g = this.gradient(y);
      const sum = { ...over, keepdims: intAttribute(0) };
      this.accumulate(gamma.value, this.op('ReduceSum', [this.op('Mul', [g, normal], null)], null, sum));
      this.accumulate(beta.value, this.op('ReduceSum', [g], null, sum));
      const scaled = this.op('Mul', [g, scale], null);
      const first = this.op('ReduceMean', [scaled], null, over);
      const second = this.op(
        'Mul',
        [normal, this.op('ReduceMean', [this.op('Mul', [scaled, normal], null)], null, over)],
        null,
      );
      const inner = this.op('Sub', [this.op('Sub', [scaled, first], null), second], null);
      this.accumulate(x.value, this.op('Mul', [inner, inverse], null));
    });
    return { value: y, shape: x.shape };
  }

  relu(x: Signal): Signal {
    const y = this.op('Relu', [x.value], x.shape);
    this.#backward.push(() => {
      this.accumulate(x.value, this.op('Mul', [this.gradient(y), this.op('Sign', [y], null)], null));
    });
    return { value: y, shape: x.shape };
  }

  add(a: Signal, b: Signal): Signal {
    const y = this.op('Add', [a.value, b.value], a.shape);
    this.#backward.push(() => {
      this.accumulate(a.value, this.gradient(y));
      this.accumulate(b.value, this.gradient(y));
    });
    return { value: y, shape: a.shape };
  }

  /** The mean over height and width, flattened. */
  pool(x: Signal): Signal {
    const [batch = 1, channels = 1, height = 1, width = 1] = x.shape;
    const pooled = this.op('GlobalAveragePool', [x.value], [batch, channels, 1, 1]);
    const y = this.op('Flatten', [pooled], [batch, channels]);
    this.#backward.push(() => {
      const shape = this.constant([batch, channels, 1, 1], [4], 'int64');
      const g = this.op(
        'Reshape',
        [this.op('Div', [this.gradient(y), this.constant([height * width])], null), shape],
        null,
      );
      this.accumulate(
        x.value,
        this.op('Expand', [g, this.constant([batch, channels, height, width], [4], 'int64')], null),
      );
    });
    return { value: y, shape: [batch, channels] };
  }

  linear(x: Signal, name: string, outputs: number): Signal {
    const [batch = 1, inputs = 1] = x.shape;
    const weight = this.parameter(`${name}.weight`, [outputs, inputs]);
    const bias = this.parameter(`${name}.bias`, [outputs]);
    const y = this.op('Gemm', [x.value, weight.value, bias.value], [batch, outputs], { transB: intAttribute(1) });
    this.#backward.push(() => {
      const g = this.gradient(y);
      this.accumulate(weight.value, this.op('Gemm', [g, x.value], null, { transA: intAttribute(1) }));
      this.accumulate(
        bias.value,
        this.op('ReduceSum', [g], null, { axes: intsAttribute([0]), keepdims: intAttribute(0) }),
      );
      this.accumulate(x.value, this.op('MatMul', [g, weight.value], null));
    });
    return { value: y, shape: [batch, outputs] };
  }

  /** Mean cross-entropy of softmax(logits) against target distributions; its gradient starts the backward graph. */
  crossEntropy(logits: Signal, targets: Value): Value {
    const [batch = 1] = logits.shape;
    const logs = this.op('LogSoftmax', [logits.value], null, { axis: intAttribute(1) });
    const loss = this.op(
      'Neg',
      [this.op('ReduceMean', [this.op('Mul', [logs, targets], null)], null, { keepdims: intAttribute(0) })],
      null,
    );
    const difference = this.op('Sub', [this.op('Exp', [logs], null), targets], null);
    this.accumulate(logits.value, this.op('Div', [difference, this.constant([batch])], null));
    return loss;
  }
}
