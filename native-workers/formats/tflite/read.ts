/** Opens a TFLite file as an ONNX graph: Q/DQ pairs where it is quantized, NCHW where it convolves. */
import { statSync } from 'node:fs';
import { Model } from '../../graph/model.ts';
import { HoneError } from '../../protocol/errors.ts';
import { readTfliteFile, type TfliteFile } from './file.ts';
import { GraphBuilder } from './raise/builder.ts';
import { CONTROL_FLOW } from './raise/control-flow.ts';
import { ELEMENTWISE } from './raise/elementwise.ts';
import { FURTHER } from './raise/further.ts';
import { INDEXING } from './raise/indexing.ts';
import { Shared } from './raise/node-builder.ts';
import type { Raise } from './raise/operator.ts';
import { PRODUCTS } from './raise/products.ts';
import { RECURRENT } from './raise/recurrent.ts';
import { REDUCTIONS } from './raise/reductions.ts';
import { SHAPES } from './raise/shapes.ts';
import { WINDOWS } from './raise/windows.ts';

/**
 * Reductions take their axes as an input from 18 on. Q/DQ of 4 and 16 bits exist from 21 on, and only there is 21 used:
 * ONNX Runtime 1.30 moves a transpose through an int8 pair of opset 21 wrongly (it keeps `output_dtype`).
 */
const OPSET = 18;
const OPSET_OF_OTHER_WIDTHS = 21;
const IR_VERSION = 10;

const OPERATORS: Readonly<Record<string, Raise>> = {
  ...WINDOWS,
  ...ELEMENTWISE,
  ...SHAPES,
  ...PRODUCTS,
  ...REDUCTIONS,
  ...INDEXING,
  ...FURTHER,
  ...CONTROL_FLOW,
  ...RECURRENT,
};

/**
 * Reads the first graph of the file. Throws `operator-unsupported` naming every kind of operator that ONNX cannot stand for
 * here, custom and Flex operators among them, and what `readTfliteFile` throws.
 */
export function readTflite(path: string): Model {
  const file = readTfliteFile(path);
  refuseUnknown(file);
  const builder = new GraphBuilder(file.main, new Shared(file), raiseOperators);
  for (const index of file.main.inputs) builder.defineInput(index);
  raiseOperators(builder);
  for (const index of file.main.outputs) builder.defineOutput(index);
  const tensors = file.graphs.flatMap((graph) => graph.tensors);
  const otherWidths = tensors.some(
    ({ dtype, quantization }) => quantization !== null && /16|4$/.test(dtype) && dtype !== 'float16',
  );
  const model = new Model(builder.graph, otherWidths ? OPSET_OF_OTHER_WIDTHS : OPSET, IR_VERSION);
  model.producerName = 'TFLite';
  model.docString = file.description;
  model.source = { path, bytes: statSync(path).size, format: 'tflite' };
  return model;
}

function raiseOperators(builder: GraphBuilder): void {
  for (const operator of builder.source.operators) {
    const raise = OPERATORS[operator.type];
    if (raise !== undefined) raise(operator, builder);
  }
}

function refuseUnknown(file: TfliteFile): void {
  const unknown = new Map<string, number>();
  for (const { type } of file.graphs.flatMap(({ operators }) => operators)) {
    if (!(type in OPERATORS)) unknown.set(type, (unknown.get(type) ?? 0) + 1);
  }
  const where = { where: { file: file.path } };
  if (unknown.size > 0) {
    const list = [...unknown].map(([type, count]) => `${type.replace(/^CUSTOM:/, 'custom operator ')} (${count})`);
    throw new HoneError(
      'operator-unsupported',
      `The model uses operators that Hone cannot open: ${list.join(', ')}.`,
      where,
    );
  }
  for (const graph of file.graphs) {
    // Recurrent layers start from zeros; what another operator does with a state is not known.
    const started = new Set(graph.operators.flatMap(({ type, inputs }) => (type in RECURRENT ? inputs : [])));
    const variable = graph.tensors.find(({ isVariable }, index) => isVariable && !started.has(index));
    if (variable === undefined) continue;
    throw new HoneError(
      'operator-unsupported',
      `The model keeps a state (${variable.name}), which Hone cannot open.`,
      where,
    );
  }
}
