/** Writes a quantization plan into the graph: Q/DQ pairs on activations, DQ on constant weights and biases. */
import type { QuantizationParameters, QuantizedType } from '../../calibrate/quantization-parameters.ts';
import { intAttribute } from '../../graph/attribute.ts';
import type { DType } from '../../graph/dtype.ts';
import type { Graph } from '../../graph/graph.ts';
import type { Node } from '../../graph/node.ts';
import { Tensor } from '../../graph/tensor.ts';
import { MemoryData } from '../../graph/tensor-data.ts';
import { tensorType } from '../../graph/types.ts';
import type { Value } from '../../graph/value.ts';

/** Puts Q and DQ behind `value` for the given readers; returns the quantized value. A graph output keeps its name. */
export function insertActivationPair(
  graph: Graph,
  value: Value,
  parameters: QuantizationParameters,
  readers: readonly Node[],
  includeOutputs: boolean,
  domain: string,
): Value {
  const shape = value.type?.kind === 'tensor' ? value.type.shape : null;
  const scale = constant(graph, `${value.name}_scale`, 'float32', [], Float32Array.of(parameters.scale));
  const zeroPoint = constant(
    graph,
    `${value.name}_zero_point`,
    parameters.type,
    [],
    codeArray(parameters.type, [parameters.zeroPoint]),
  );
  const codes = graph.createValue(`${value.name}_quantized`, tensorType(parameters.type, shape));
  const restored = graph.createValue(`${value.name}_dequantized`, tensorType('float32', shape));
  if (includeOutputs && graph.outputs.includes(value)) {
    // The public name goes to the dequantized value; the raw one becomes internal.
    const name = value.name;
    value.name = graph.uniqueName(`${name}_raw`);
    restored.name = name;
    graph.outputs.forEach((output, index) => {
      if (output === value) graph.outputs[index] = restored;
    });
  }
  for (const reader of readers) {
    reader.inputs.forEach((input, index) => {
      if (input === value) reader.setInput(index, restored);
    });
  }
  graph.addNode({
    opType: 'QuantizeLinear',
    domain,
    name: `${value.name}_QuantizeLinear`,
    inputs: [value, scale, zeroPoint],
    outputs: [codes],
  });
  graph.addNode({
    opType: 'DequantizeLinear',
    domain,
    name: `${value.name}_DequantizeLinear`,
    inputs: [codes, scale, zeroPoint],
    outputs: [restored],
  });
  return codes;
}

export interface ConstantCodes {
  readonly type: 'int8' | 'uint8' | 'int32';
  readonly shape: readonly number[];
  readonly codes: Int8Array | Uint8Array | Int32Array;
  /** One scale, or one for each index along `axis`; zero points are 0. */
  readonly scales: Float32Array;
  readonly axis: number;
}

/** A DQ node on a new constant; returns its float output. The zero point is written out: without one QGemm does not fuse. */
export function insertConstant(graph: Graph, name: string, content: ConstantCodes, domain: string): Value {
  const perAxis = content.scales.length > 1;
  const shape = perAxis ? [content.scales.length] : [];
  const codes = constant(graph, `${name}_quantized`, content.type, content.shape, content.codes);
  const scale = constant(graph, `${name}_scale`, 'float32', shape, content.scales);
  const zeros = content.type === 'int32' ? new Int32Array(content.scales.length) : new Int8Array(content.scales.length);
  const zeroPoint = constant(graph, `${name}_zero_point`, content.type, shape, zeros);
  const restored = graph.createValue(`${name}_dequantized`, tensorType('float32', content.shape));
  graph.addNode({
    opType: 'DequantizeLinear',
    domain,
    name: `${name}_DequantizeLinear`,
    inputs: [codes, scale, zeroPoint],
    outputs: [restored],
    attributes: perAxis ? [['axis', intAttribute(content.axis)]] : [],
  });
  return restored;
}

function constant(
  graph: Graph,
  name: string,
  dtype: DType,
  shape: readonly number[],
  content: Float32Array | Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array,
): Value {
  const bytes = new Uint8Array(content.buffer, content.byteOffset, content.byteLength);
  return graph.addInitializer(graph.uniqueName(name), new Tensor({ dtype, shape, data: new MemoryData(bytes) }));
}

function codeArray(type: QuantizedType, codes: readonly number[]): Int8Array | Uint8Array | Int16Array | Uint16Array {
  if (type === 'uint8') return Uint8Array.from(codes);
  if (type === 'int8') return Int8Array.from(codes);
  return type === 'uint16' ? Uint16Array.from(codes) : Int16Array.from(codes);
}
