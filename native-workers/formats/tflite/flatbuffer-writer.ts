/** Writes FlatBuffer tables from plain objects, by the schema that `schema.ts` holds as data. */
import type { Builder, Offset } from 'flatbuffers';
import { ENUMS, type Field, fieldsOf, UNIONS } from './schema.ts';

/** A table as an object of its fields; a union's value names its member. */
export interface TableValue {
  readonly [field: string]: FieldValue | undefined;
}
export type FieldValue =
  | number
  | bigint
  | boolean
  | string
  | Uint8Array
  | readonly (number | bigint | boolean)[]
  | readonly string[]
  | readonly TableValue[]
  | TableValue
  | UnionValue;

export class UnionValue {
  readonly member: string;
  readonly value: TableValue;

  constructor(member: string, value: TableValue) {
    this.member = member;
    this.value = value;
  }
}

/** LiteRT reads weights where they are; its kernels want them at multiples of this. */
const DATA_ALIGNMENT = 16;

/** Bytes of the scalar types; an enum is as wide as its base type. */
const WIDTHS: Readonly<Record<string, number>> = {
  bool: 1,
  byte: 1,
  ubyte: 1,
  short: 2,
  ushort: 2,
  int: 4,
  int32: 4,
  uint: 4,
  float: 4,
  long: 8,
  ulong: 8,
};
const WIDE_ENUMS: Readonly<Record<string, number>> = {
  BuiltinOperator: 4,
  StablehloPrecisionConfig: 4,
  StablehloComparisonDirection: 4,
  StablehloComparisonType: 4,
  ReduceWindowFunction: 4,
};

/** Adds a table and what it refers to; returns its offset. Throws for a field that the schema does not have. */
export function addTable(builder: Builder, table: string, value: TableValue): Offset {
  const fields = fieldsOf(table);
  const offsets = new Map<string, Offset>();
  for (const [name, content] of Object.entries(value)) {
    const field = fields.get(name);
    if (field === undefined) throw new Error(`the schema has no field ${name} in ${table}`);
    if (content === undefined) continue;
    const offset = addReferred(builder, field, content);
    if (offset !== null) offsets.set(name, offset);
  }
  const slots = [...fields.values()].reduce((most, field) => Math.max(most, field.slot + 1), 0);
  builder.startObject(slots);
  for (const [name, content] of Object.entries(value)) {
    const field = fields.get(name);
    if (field === undefined || content === undefined) continue;
    const offset = offsets.get(name);
    if (offset === undefined) addScalar(builder, field, content);
    else builder.addFieldOffset(field.slot, offset, 0);
    if (content instanceof UnionValue) {
      const code = (UNIONS[field.type]?.indexOf(content.member) ?? -1) + 1;
      if (code === 0) throw new Error(`${content.member} is no member of ${field.type}`);
      builder.addFieldInt8(field.slot - 1, code, 0);
    }
  }
  return builder.endObject();
}

/** Content that a table points to: strings, vectors (or the offset of one made before), tables. null for scalars. */
function addReferred(builder: Builder, field: Field, content: FieldValue): Offset | null {
  if (typeof content === 'number' && field.type.startsWith('[')) return content;
  if (content instanceof UnionValue) return addTable(builder, content.member, content.value);
  if (typeof content === 'string') return builder.createString(content);
  if (content instanceof Uint8Array) return addBytes(builder, content);
  if (Array.isArray(content)) return addVector(builder, field.type.slice(1, -1), content);
  if (typeof content === 'object') return addTable(builder, field.type, content as TableValue);
  return null;
}

function addBytes(builder: Builder, bytes: Uint8Array): Offset {
  // Padding for the alignment goes in first; the vector needs none after that.
  builder.prep(DATA_ALIGNMENT, bytes.length);
  return builder.createByteVector(bytes);
}

function addVector(builder: Builder, type: string, content: readonly unknown[]): Offset {
  const width = WIDTHS[type] ?? (ENUMS[type] === undefined ? 0 : (WIDE_ENUMS[type] ?? 1));
  if (width === 0) {
    const offsets = content.map((each) =>
      typeof each === 'string' ? builder.createString(each) : addTable(builder, type, each as TableValue),
    );
    builder.startVector(4, offsets.length, 4);
    for (const offset of offsets.toReversed()) builder.addOffset(offset);
    return builder.endVector();
  }
  builder.startVector(width, content.length, width);
  // A FlatBuffer is built from its end.
  for (const each of content.toReversed()) {
    if (type === 'float') builder.addFloat32(Number(each));
    else if (width === 8) builder.addInt64(BigInt(each as number | bigint));
    else if (width === 4) builder.addInt32(Number(each));
    else if (width === 2) builder.addInt16(Number(each));
    else builder.addInt8(Number(each));
  }
  return builder.endVector();
}

function addScalar(builder: Builder, { slot, type, fallback }: Field, content: FieldValue): void {
  const usual = fallback === 'true' ? 1 : Number(fallback ?? 0) || (ENUMS[type]?.[fallback ?? ''] ?? 0);
  const width = WIDTHS[type] ?? WIDE_ENUMS[type] ?? 1;
  if (type === 'float') builder.addFieldFloat32(slot, Number(content), usual);
  else if (width === 8) builder.addFieldInt64(slot, BigInt(content as number | bigint), BigInt(usual));
  else if (width === 4) builder.addFieldInt32(slot, Number(content), usual);
  else if (width === 2) builder.addFieldInt16(slot, Number(content), usual);
  else builder.addFieldInt8(slot, Number(content), usual);
}
