/**
 * An ONNX graph as a TFLite graph: each node through its lowering, then the layout, then what can be simplified. The graph must
 * be prepared: static shapes, constants folded.
 */

import { type DType, elementCount } from '../../graph/dtype.ts';
import type { Model } from '../../graph/model.ts';
import type { Node } from '../../graph/node.ts';
import { topologicalOrder } from '../../graph/traversal.ts';
import type { Value } from '../../graph/value.ts';
import { HoneError } from '../../protocol/errors.ts';
import {
  type Quantization,
  type TflGraph,
  type TflOperator,
  type TflTensor,
  type TflValue,
  withInnerGraphs,
} from './ir.ts';
import { assignLayout } from './layout.ts';
import { Lowering } from './lower/lowering.ts';
import { findLowering } from './lower/registry.ts';
import { internalType, NOT_CONVERTED, Refusal, type StaticType, type WeightPrecision } from './lower/terms.ts';
import { planQuantization } from './plan-quantization.ts';
import { simplify } from './simplify.ts';
import { isDequantize, readersOf, type StoredType } from './stored-type.ts';
import { dynamicWeights, halfWeights } from './weight-precision.ts';

export interface Refused {
  readonly node: string;
  readonly type: string;
  readonly reason: string;
}

export interface Conversion {
  /** null when something was refused. */
  readonly graph: TflGraph | null;
  readonly nodes: number;
  readonly refused: readonly Refused[];
}

/** `typeOf`: dtype and shape in numbers, or null where the shape is not known before running. */
export function convert(
  model: Model,
  typeOf: (value: Value) => StaticType | null,
  precision: WeightPrecision = 'float32',
): Conversion {
  const { graph } = model;
  const lowering = new Lowering(typeOf, planQuantization(graph), model.opset, precision);
  const refused: Refused[] = [];
  const refuse = (node: string, type: string, thrown: unknown): void => {
    if (!(thrown instanceof Refusal)) throw thrown;
    refused.push({ node, type, reason: thrown.message });
  };
  const inputs: TflValue[] = [];
  for (const value of graph.inputs) {
    if (value.isConstant) continue;
    try {
      inputs.push(graphInput(value, lowering));
    } catch (thrown) {
      refuse(value.name, 'input', thrown);
      lowering.pretendValue(value);
    }
  }
  const nodes = topologicalOrder(graph);
  for (const node of nodes) {
    try {
      lowerNode(node, lowering);
    } catch (thrown) {
      refuse(node.label, node.domain === '' ? node.opType : `${node.domain}:${node.opType}`, thrown);
      lowering.pretend(node);
    }
  }
  const outputs: TflValue[] = [];
  const dependent = dependentOn(inputs, lowering.operators);
  for (const value of graph.outputs) {
    try {
      outputs.push(graphOutput(value, lowering, inputs, dependent));
    } catch (thrown) {
      refuse(value.name, 'output', thrown);
    }
  }
  if (refused.length > 0) return { graph: null, nodes: nodes.length, refused: rootCauses(refused) };
  try {
    const made = finish(lowering, inputs, outputs);
    for (const each of withInnerGraphs(made)) {
      if (precision === 'float16') halfWeights(each);
      if (precision !== 'float32' && precision !== 'float16') dynamicWeights(each, precision);
    }
    for (const each of withInnerGraphs(made)) giveNames(each);
    return { graph: made, nodes: nodes.length, refused };
  } catch (thrown) {
    refuse('', 'output', thrown);
    return { graph: null, nodes: nodes.length, refused };
  }
}

/** The nodes whose operator is not converted whatever its shapes are: all that can be said of a model that the engine refuses. */
export function unknownOperators(model: Model): Refused[] {
  return topologicalOrder(model.graph).flatMap((node) =>
    findLowering(node) === null && !model.functions.some(({ name }) => name === node.opType)
      ? [
          {
            node: node.label,
            type: node.domain === '' ? node.opType : `${node.domain}:${node.opType}`,
            reason: UNKNOWN,
          },
        ]
      : [],
  );
}

const UNKNOWN =
  'TFLite has no such operator, and Hone has no decomposition of it; cut the model here and compute it in the app';

/** A quantized node that TFLite has no quantized operator for is computed in float, between DEQUANTIZE and QUANTIZE. */
function lowerNode(node: Node, lowering: Lowering): void {
  const lower = findLowering(node);
  if (lower === null) {
    const isFixed = node.inputs.every((input) => input === null || input.tensor !== null);
    throw new Refusal(isFixed ? 'it depends on no input, and its result is an output; leave it out' : UNKNOWN);
  }
  lowering.begin(node);
  const before = lowering.operators.length;
  try {
    lower(node, lowering);
  } catch (thrown) {
    if (!(thrown instanceof Refusal) || !lowering.isQuantized) throw thrown;
    lowering.plan.nodes.delete(node);
    lower(node, lowering);
  }
  if (lowering.operators.length === before) lowering.credit(node);
}

/** Without those that only lack the type of an input because another node was refused. */
function rootCauses(refused: readonly Refused[]): Refused[] {
  const roots = refused.filter(({ reason }) => !reason.endsWith(NOT_CONVERTED));
  return roots.length > 0 ? roots : [...refused];
}

/** An input keeps the type that the source gives it; inside, it is cast. */
function graphInput(value: Value, lowering: Lowering): TflValue {
  const { dtype, shape } = lowering.type(value);
  if (shape.includes(0)) throw new Refusal('the input is empty, and LiteRT loads no empty tensors');
  const outside = interfaceType(dtype);
  const tensor: TflTensor = {
    name: value.name,
    shape,
    dtype: outside,
    constant: null,
    quantization: null,
    signature: null,
  };
  const made = { source: value.name, name: value.name, tensor };
  const [reader] = readersOf(value);
  const stored = reader !== undefined && isDequantize(reader) ? lowering.plan.types.of(reader) : null;
  if (
    stored !== null &&
    stored.quantization.scales.length === 1 &&
    (dtype === 'int8' || dtype === 'uint8' || dtype === 'int16')
  ) {
    tensor.quantization = movedTo(dtype, stored);
    const isStored = stored.dtype === dtype;
    lowering.setCodes(value, isStored ? tensor : lowering.emit('QUANTIZE', [tensor], { shape, ...stored }));
    return made;
  }
  lowering.define(value, lowering.cast(tensor, internalType(dtype)));
  return made;
}

function interfaceType(dtype: DType): DType {
  if (dtype === 'float64') return 'float32';
  if (dtype === 'bfloat16' || dtype.startsWith('float8')) throw new Refusal(`values of type ${dtype}`);
  // There is no CAST of uint64; what counts elements or names them is far below 2^63.
  if (dtype === 'uint64') return 'int64';
  return dtype;
}

function finish(lowering: Lowering, inputs: readonly TflValue[], outputs: readonly TflValue[]): TflGraph {
  const made: TflGraph = { inputs: [...inputs], outputs: [...outputs], operators: lowering.operators };
  for (const each of withInnerGraphs(made)) simplify(each);
  assignLayout(made);
  simplify(made);
  return made;
}

/** The tensors that inputs have a part in. */
function dependentOn(inputs: readonly TflValue[], operators: readonly TflOperator[]): Set<TflTensor> {
  const found = new Set(inputs.map(({ tensor }) => tensor));
  for (const { inputs: read, outputs } of operators)
    if (read.some((input) => input !== null && found.has(input))) for (const output of outputs) found.add(output);
  return found;
}

function graphOutput(
  value: Value,
  lowering: Lowering,
  inputs: readonly TflValue[],
  dependent: ReadonlySet<TflTensor>,
): TflValue {
  const { dtype } = lowering.type(value);
  // Not its DEQUANTIZE, which is only made below.
  const own = lowering.findCodes(value) ?? lowering.findQuantized(value) ?? lowering.tensor(value);
  let tensor = codesAsOutput(value, dtype, lowering) ?? lowering.cast(lowering.tensor(value), interfaceType(dtype));
  if (!dependent.has(own)) tensor = fixedOutput(tensor, lowering, inputs[0]?.tensor ?? null);
  const isOwn = lowering.isMade(tensor);
  // An output that is an input, a constant or another output as well gets an operator of its own.
  if (!isOwn || lowering.taken.has(tensor)) {
    const shape = lowering.int32([...tensor.shape]);
    tensor = lowering.emit(
      'RESHAPE',
      [tensor, shape],
      { shape: tensor.shape, dtype: tensor.dtype, quantization: tensor.quantization },
      { new_shape: tensor.shape },
    );
  }
  lowering.taken.add(tensor);
  tensor.name = value.name;
  return { source: value.name, name: value.name, tensor };
}

/**
 * LiteRT plans no memory for an output that depends on constants alone, and gives what stands there. So it is chosen over
 * itself, by whether an element of an input is equal to itself.
 */
function fixedOutput(fixed: TflTensor, lowering: Lowering, input: TflTensor | null): TflTensor {
  if (input === null) throw new Refusal('the output depends on no input, and the model has none; leave it out');
  const ones = input.shape.map(() => 1);
  const first = lowering.slice(
    lowering.cast(input, internalType(input.dtype)),
    ones.map(() => 0),
    ones,
  );
  const element = lowering.reshape(first, [1]);
  const flat = lowering.reshape(fixed, [elementCount(fixed.shape)]);
  const isSame = lowering.binary('EQUAL', element, element, 'bool');
  return lowering.reshape(lowering.select(isSame, flat, flat), fixed.shape);
}

/** A quantized output in the integers that the source gives. */
function codesAsOutput(value: Value, dtype: DType, lowering: Lowering): TflTensor | null {
  const codes = lowering.findCodes(value);
  if (codes === null || codes.quantization === null || codes.constant !== null) return null;
  if (codes.dtype === dtype) return codes;
  const quantization = movedTo(dtype, { dtype: codes.dtype, quantization: codes.quantization });
  return lowering.emit('QUANTIZE', [codes], { shape: codes.shape, dtype, quantization });
}

/** The same real values in 8-bit codes of the other sign. */
function movedTo(dtype: DType, { dtype: from, quantization }: StoredType): Quantization {
  const shift = dtype === from ? 0 : dtype === 'uint8' ? 128 : -128;
  return { ...quantization, zeroPoints: quantization.zeroPoints.map((zero) => zero + shift) };
}

/** Names are unique and of plain characters; what a name was is told by the signature. */
function giveNames({ inputs, outputs, operators }: TflGraph): void {
  const used = new Set<string>();
  const done = new Set<TflTensor>();
  const name = (tensor: TflTensor, hint: string): void => {
    if (done.has(tensor)) return;
    done.add(tensor);
    const plain = (tensor.name || hint).replace(/[^\w./:;-]+/g, '_');
    let unique = plain;
    for (let number = 1; used.has(unique); number++) unique = `${plain}_${number}`;
    used.add(unique);
    tensor.name = unique;
  };
  for (const value of [...inputs, ...outputs]) {
    name(value.tensor, 'value');
    value.name = value.tensor.name;
  }
  for (const { outputs: made, source, code } of operators) for (const tensor of made) name(tensor, `${source}/${code}`);
  for (const { inputs: read, source } of operators)
    for (const tensor of read) if (tensor !== null) name(tensor, `${source}/constant`);
}

/** The first refusal as an error, for writers that were asked to go on all the same. */
export function refusalError(refused: readonly Refused[]): HoneError {
  const [first] = refused;
  const more = refused.length > 1 ? ` There are ${refused.length - 1} more.` : '';
  return new HoneError(
    'operator-unsupported',
    `TFLite cannot express ${first?.type ?? ''} ${first?.node ?? ''}: ${first?.reason ?? ''}.${more}`,
    {
      where: { node: first?.node ?? '' },
    },
  );
}
