/**
 * ONNX's operator tests give everything as an input of the model. Real models hold shapes, axes, counts and the weights of
 * recurrent layers as constants, which is what writers of other formats are for: these operands are made constants of the model.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readOnnx } from '../../native-workers/formats/onnx/read.ts';
import type { Model } from '../../native-workers/graph/model.ts';
import type { Tensor } from '../../native-workers/graph/tensor.ts';
import type { Value } from '../../native-workers/graph/value.ts';

const REDUCTIONS = ['Sum', 'Mean', 'Max', 'Min', 'Prod', 'L1', 'L2', 'LogSum', 'LogSumExp', 'SumSquare'];

/** Operands by operator. */
const OPERANDS: Readonly<Record<string, readonly number[]>> = {
  ...Object.fromEntries(REDUCTIONS.map((name) => [`Reduce${name}`, [1]])),
  AffineGrid: [1],
  BlackmanWindow: [0],
  CenterCropPad: [1],
  Col2Im: [1, 2],
  ConstantOfShape: [0],
  CumSum: [1],
  DequantizeLinear: [1, 2],
  DFT: [1, 2],
  Dropout: [1, 2],
  Expand: [1],
  GRU: [1, 2, 3, 4],
  HammingWindow: [0],
  HannWindow: [0],
  LSTM: [1, 2, 3, 4, 7],
  MaxUnpool: [2],
  MelWeightMatrix: [0, 1, 2, 3, 4],
  NonMaxSuppression: [2, 3, 4],
  OneHot: [1],
  Pad: [1, 3],
  QuantizeLinear: [1, 2],
  Range: [0, 1, 2],
  Reshape: [1],
  Resize: [1, 2, 3],
  RNN: [1, 2, 3, 4],
  Slice: [1, 2, 3, 4],
  Split: [1],
  Squeeze: [1],
  STFT: [1, 3],
  Tile: [1],
  TopK: [1],
  Trilu: [1],
  Unsqueeze: [1],
  Upsample: [1],
};

function isOperand(value: Value): boolean {
  return [...value.consumers].some(({ opType, inputs }) =>
    (OPERANDS[opType] ?? []).some((index) => inputs[index] === value),
  );
}

/** Operands of the operator itself by name, where the test holds its function body, in which they are read by others. */
function operandsOfOperator(test: string): ReadonlySet<string> {
  const operator = test.replace(/_expanded(_ver\d+)?$/, '');
  const path = join(operator, 'model.onnx');
  if (operator === test || !existsSync(path)) return new Set();
  return new Set(readOnnx(path).graph.inputs.flatMap((input) => (isOperand(input) ? [input.name] : [])));
}

/** Makes such inputs constants, with the numbers that the test in this folder gives them. Returns how many there were. */
export function makeOperandsConstant(model: Model, test: string, tensorOf: (index: number) => Tensor | null): number {
  const { inputs, initializers } = model.graph;
  const named = operandsOfOperator(test);
  const constant = new Set(
    inputs.filter((input, index) => {
      const tensor = isOperand(input) || named.has(input.name) ? tensorOf(index) : null;
      if (tensor === null) return false;
      input.tensor = tensor;
      initializers.add(input);
      return true;
    }),
  );
  inputs.splice(0, inputs.length, ...inputs.filter((input) => !constant.has(input)));
  return constant.size;
}
