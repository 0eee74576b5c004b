/** Parts of ONNX files by hand, on top of `wire`. Field numbers from onnx.proto. */
import { type Fields, wire } from './wire.ts';

/** `TensorProto.DataType`. */
export const FLOAT = 1;
export const tensorType = (code: number, ...dims: (number | string)[]): Fields => [
  [
    1,
    [
      [1, code],
      [2, dims.map((dim) => [1, [[typeof dim === 'number' ? 1 : 2, dim]]] as const)],
    ],
  ],
];
export const info = (name: string, type: Fields): Fields => [
  [1, name],
  [2, type],
];
export const node = (opType: string, inputs: string[], outputs: string[], ...rest: Fields): Fields => [
  ...inputs.map((name) => [1, name] as const),
  ...outputs.map((name) => [2, name] as const),
  [4, opType],
  ...rest,
];
/** A model file around the fields of a graph. */
export const model = (graph: Fields, ...rest: Fields): Buffer =>
  wire([
    [1, 8],
    [7, graph],
    [
      8,
      [
        [1, ''],
        [2, 17],
      ],
    ],
    ...rest,
  ]);
/** A graph of one operator. */
export const relu: Fields = [
  [1, node('Relu', ['x'], ['y'])],
  [2, 'g'],
  [11, info('x', tensorType(FLOAT, 2))],
  [12, info('y', tensorType(FLOAT, 2))],
];
