/** Opens a TFLite file as an ONNX graph: Q/DQ pairs where it is quantized, NCHW where it convolves. */
import { statSync } from 'node:fs';
import { Model } from '../../graph/model.ts';
import { HoneError } from '../../protocol/errors.ts';
import { readTfliteFile, type TfliteFile } from './file.ts';
import { GraphBuilder } from './raise/builder.ts';
import { ELEMENTWISE } from './raise/elementwise.ts';
import { FURTHER } from './raise/further.ts';
import { INDEXING } from './raise/indexing.ts';
import type { Raise } from './raise/operator.ts';
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
  ...INDEXING,
  ...FURTHER,
};

/**
 * Reads the first graph of the file. Throws `operator-unsupported` naming every kind of operator that ONNX cannot stand for
 * here, custom and Flex operators among them, and what `readTfliteFile` throws.
 */
export function readTflite(path: string): Model {
  const file = readTfliteFile(path);
  refuseUnknown(file);
  const builder = new GraphBuilder(file);
  for (const index of file.inputs) builder.defineInput(index);
  for (const operator of file.operators) {
    const raise = OPERATORS[operator.type];
    if (raise !== undefined) raise(operator, builder);
  }
  for (const index of file.outputs) builder.defineOutput(index);
  const otherWidths = file.tensors.some(
    ({ dtype, quantization }) => quantization !== null && /16|4$/.test(dtype) && dtype !== 'float16',
  );
  const model = new Model(builder.graph, otherWidths ? OPSET_OF_OTHER_WIDTHS : OPSET, IR_VERSION);
  model.producerName = 'TFLite';
  model.docString = file.description;
  model.source = { path, bytes: statSync(path).size, format: 'tflite' };
  return model;
}

function refuseUnknown(file: TfliteFile): void {
  const unknown = new Map<string, number>();
  for (const { type } of file.operators) {
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
  const variable = file.tensors.find(({ isVariable }) => isVariable);
  if (variable !== undefined) {
    throw new HoneError(
      'operator-unsupported',
      `The model keeps a state (${variable.name}), which Hone cannot open.`,
      where,
    );
  }
}
