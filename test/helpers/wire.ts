/**
 * Protobuf bytes by hand, apart from Hone's own reader and writer: to make files that are wrong in one place, and to compare
 * two files field by field.
 */

export type Field = readonly [number, number | bigint | string | Uint8Array | Fields];
export type Fields = readonly Field[];

/** Fields in the order given: numbers as varints, texts and bytes and nested fields with their length. */
export function wire(fields: Fields): Buffer {
  return Buffer.concat(
    fields.flatMap(([field, value]) => {
      if (typeof value === 'number' || typeof value === 'bigint') return [varint(field * 8), varint(value)];
      const bytes = typeof value === 'string' ? Buffer.from(value) : value instanceof Uint8Array ? value : wire(value);
      return [varint(field * 8 + 2), varint(bytes.length), bytes];
    }),
  );
}

export function varint(value: number | bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}

/** Which fields of which messages are messages, for `leaves`: by message, field -> its message. From onnx.proto. */
const MESSAGES: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  model: { 7: 'graph', 8: 'leaf', 14: 'leaf', 25: 'function' },
  graph: { 1: 'node', 5: 'tensor', 11: 'info', 12: 'info', 13: 'info', 15: 'sparse', 16: 'leaf' },
  node: { 5: 'attribute', 9: 'leaf' },
  attribute: { 5: 'tensor', 6: 'graph', 10: 'tensor', 11: 'graph', 22: 'sparse' },
  function: { 7: 'node', 9: 'leaf', 11: 'attribute', 12: 'info', 14: 'leaf' },
  info: { 2: 'leaf' },
  sparse: { 1: 'tensor', 2: 'tensor' },
};

/** Every field that is no message, as `path=value`, of an ONNX file; in file order. */
export function leaves(bytes: Buffer, kind = 'model', path = ''): string[] {
  const found: string[] = [];
  let at = 0;
  const number = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++] ?? 0;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = Number(number());
    const [field, type] = [tag >> 3, tag & 7];
    const name = `${path}.${field}`;
    if (type === 0) found.push(`${name}=${number()}`);
    else {
      const length = type === 5 ? 4 : type === 1 ? 8 : Number(number());
      const value = bytes.subarray(at, at + length);
      at += length;
      const message = type === 2 ? MESSAGES[kind]?.[field] : undefined;
      if (message === undefined) found.push(`${name}=${value.toString('hex')}`);
      else found.push(...leaves(value, message, name));
    }
  }
  return found;
}
