/**
 * Tiny ONNX files written byte by byte, apart from Hone's own writer: what a test of the runtime feeds it must not depend on
 * the code that other tests check. Field numbers are those of onnx.proto.
 */

export type TinyDim = number | string;

export interface TinyValue {
  readonly name: string;
  /** `TensorProto.DataType`; 1 is float32. */
  readonly code?: number;
  readonly shape: readonly TinyDim[];
}

export interface TinyNode {
  readonly type: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly name?: string;
  readonly domain?: string;
  /** Integer attributes. */
  readonly ints?: Readonly<Record<string, number>>;
}

export interface TinyWeight {
  readonly name: string;
  /** `TensorProto.DataType`; 1 is float32. */
  readonly code?: number;
  readonly shape: readonly number[];
  readonly data: ArrayBufferView;
}

export interface TinyModel {
  readonly nodes: readonly TinyNode[];
  readonly inputs: readonly TinyValue[];
  readonly outputs: readonly TinyValue[];
  readonly weights?: readonly TinyWeight[];
  readonly opset?: number;
}

export function tinyOnnx(model: TinyModel): Uint8Array {
  const graph = Buffer.concat([
    ...model.nodes.map((node) => message(1, nodeBytes(node))),
    text(2, 'tiny'),
    ...(model.weights ?? []).map((weight) => message(5, weightBytes(weight))),
    ...model.inputs.map((value) => message(11, valueBytes(value))),
    ...model.outputs.map((value) => message(12, valueBytes(value))),
  ]);
  return new Uint8Array(Buffer.concat([integer(1, 10), message(7, graph), message(8, integer(2, model.opset ?? 21))]));
}

function nodeBytes(node: TinyNode): Buffer {
  return Buffer.concat([
    ...node.inputs.map((name) => text(1, name)),
    ...node.outputs.map((name) => text(2, name)),
    text(3, node.name ?? ''),
    text(4, node.type),
    ...Object.entries(node.ints ?? {}).map(([name, value]) =>
      message(5, Buffer.concat([text(1, name), integer(3, value), integer(20, 2)])),
    ),
    text(7, node.domain ?? ''),
  ]);
}

function weightBytes(weight: TinyWeight): Buffer {
  const { buffer, byteOffset, byteLength } = weight.data;
  return Buffer.concat([
    ...weight.shape.map((dim) => integer(1, dim)),
    integer(2, weight.code ?? 1),
    text(8, weight.name),
    message(9, Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength)),
  ]);
}

function valueBytes(value: TinyValue): Buffer {
  const dims = value.shape.map((dim) => message(1, typeof dim === 'number' ? integer(1, dim) : text(2, dim)));
  const tensor = Buffer.concat([integer(1, value.code ?? 1), message(2, Buffer.concat(dims))]);
  return Buffer.concat([text(1, value.name), message(2, message(1, tensor))]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = BigInt(value);
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}

function integer(field: number, value: number): Buffer {
  return Buffer.concat([varint(field * 8), varint(value)]);
}

function message(field: number, bytes: Buffer): Buffer {
  return Buffer.concat([varint(field * 8 + 2), varint(bytes.length), bytes]);
}

function text(field: number, value: string): Buffer {
  return message(field, Buffer.from(value));
}
