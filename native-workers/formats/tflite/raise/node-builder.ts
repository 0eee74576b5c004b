/** Nodes and constants of the ONNX graph that a graph of a TFLite file becomes. Graphs in it share names, and what is set once. */
import { type Attribute, intsAttribute } from '../../../graph/attribute.ts';
import { type DType, elementCount } from '../../../graph/dtype.ts';
import { Graph } from '../../../graph/graph.ts';
import { Tensor, type TensorData } from '../../../graph/tensor.ts';
import { tensorFromNumbers } from '../../../graph/tensor-values.ts';
import type { Value } from '../../../graph/value.ts';
import { HoneError } from '../../../protocol/errors.ts';
import type { TfliteFile, TfliteGraph, TfliteOperator, TfliteTensor } from '../file.ts';
import { permuted } from './permute.ts';

/** What all graphs of a file share while they are read. */
export class Shared {
  readonly file: TfliteFile;
  /** The graph of the model, which makes the names of all: ONNX sees outer names inside. */
  readonly root: Graph;
  readonly names: Set<string> = new Set();
  /** Contents of variables, by name. */
  readonly variables: Map<string, Value> = new Map();
  /** Graphs that were raised inside of others. */
  inner = 0;

  constructor(file: TfliteFile) {
    this.file = file;
    this.root = new Graph(file.main.name);
  }
}

export class NodeBuilder {
  readonly graph: Graph;
  /** The graph of the file that is raised. */
  readonly source: TfliteGraph;
  readonly shared: Shared;

  constructor(source: TfliteGraph, shared: Shared, graph: Graph) {
    this.source = source;
    this.shared = shared;
    this.graph = graph;
  }

  tensor(index: number): TfliteTensor {
    const tensor = this.source.tensors[index];
    if (tensor === undefined)
      throw new HoneError('file-corrupt', `There is no tensor ${index}.`, { where: { file: this.path } });
    return tensor;
  }

  get path(): string {
    return this.shared.file.path;
  }

  op(
    opType: string,
    inputs: readonly (Value | null)[],
    attributes: Record<string, Attribute> = {},
    domain = '',
  ): Value {
    const output = this.shared.root.createValue(`~${opType}`);
    this.graph.addNode({ opType, domain, inputs, outputs: [output], attributes: Object.entries(attributes) });
    return output;
  }

  /** A node of several outputs. */
  ops(
    opType: string,
    inputs: readonly (Value | null)[],
    count: number,
    attributes: Record<string, Attribute> = {},
  ): Value[] {
    const outputs = Array.from({ length: count }, () => this.shared.root.createValue(`~${opType}`));
    this.graph.addNode({ opType, inputs, outputs, attributes: Object.entries(attributes) });
    return outputs;
  }

  transpose(value: Value, perm: readonly number[]): Value {
    return this.op('Transpose', [value], { perm: intsAttribute(perm) });
  }

  /** The content of a constant as numbers: shapes, axes, paddings. Throws `operator-unsupported` when it is computed. */
  numbers(index: number): number[] {
    const { data, dtype, name } = this.tensor(index);
    if (data === null)
      throw new HoneError('operator-unsupported', `${name} is computed; Hone needs it as a constant.`, {
        where: { file: this.path, tensor: name },
      });
    const bytes = data.read().slice();
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    if (dtype === 'int32') return Array.from({ length: bytes.length / 4 }, (_, at) => view.getInt32(at * 4, true));
    if (dtype === 'int64')
      return Array.from({ length: bytes.length / 8 }, (_, at) => Number(view.getBigInt64(at * 8, true)));
    if (dtype === 'float32') return Array.from({ length: bytes.length / 4 }, (_, at) => view.getFloat32(at * 4, true));
    return Array.from(bytes, (byte) => (dtype === 'int8' ? (byte << 24) >> 24 : byte));
  }

  int64s(values: readonly number[], shape: readonly number[] = [values.length]): Value {
    return this.initializer(tensorFromNumbers('int64', values, shape));
  }

  float(value: number): Value {
    return this.initializer(tensorFromNumbers('float32', [value], []));
  }

  floats(values: readonly number[], shape: readonly number[]): Value {
    return this.initializer(tensorFromNumbers('float32', values, shape));
  }

  scalar(value: number, dtype: DType): Value {
    if (dtype === 'int32') return this.initializer(tensorFromNumbers('int32', [value], []));
    if (dtype === 'int64') return this.initializer(tensorFromNumbers('int64', [value], []));
    return this.float(value);
  }

  unique(hint: string): string {
    const base = hint === '' ? 'value' : hint;
    let name = base;
    for (let number = 1; this.shared.names.has(name); number++) name = `${base}_${number}`;
    this.shared.names.add(name);
    return name;
  }

  unsupported(operator: TfliteOperator, reason: string): HoneError {
    return new HoneError('operator-unsupported', `Operator ${operator.index} (${operator.type}): ${reason}`, {
      where: { file: this.path, node: `${operator.index}` },
    });
  }

  storedConstant(tensor: TfliteTensor, perm: readonly number[] | null, shape: readonly number[] | null): Value {
    if (tensor.data === null)
      throw new HoneError('file-corrupt', `The tensor ${tensor.name} has no content.`, {
        where: { file: this.path, tensor: tensor.name },
      });
    const dims = perm === null ? tensor.shape : perm.map((axis) => tensor.shape[axis] ?? 1);
    const data: TensorData = perm === null ? tensor.data : permuted(tensor.data, tensor.dtype, tensor.shape, perm);
    const target = shape ?? dims;
    if (elementCount(target) !== elementCount(tensor.shape))
      throw new HoneError('file-corrupt', `The tensor ${tensor.name} does not fit its use.`, {
        where: { file: this.path, tensor: tensor.name },
      });
    return this.graph.addInitializer(
      this.unique(tensor.name),
      new Tensor({ dtype: tensor.dtype, shape: target, data }),
    );
  }

  initializer(tensor: Tensor): Value {
    return this.graph.addInitializer(this.unique('constant'), tensor);
  }
}
