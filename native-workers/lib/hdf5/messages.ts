/**
 * The messages of an object header that say what a data set or an attribute is. Source of all field orders: HDF5 File Format
 * Specification 3.0, section IV.A.2 ("Data Object Header Messages").
 */
import { type DType, elementCount } from '../../graph/dtype.ts';
import { HoneError } from '../../protocol/errors.ts';
import type { Cursor } from './cursor.ts';

/** Types of messages that are read; all others are skipped. */
export const MESSAGE = {
  dataspace: 0x01,
  linkInfo: 0x02,
  datatype: 0x03,
  link: 0x06,
  layout: 0x08,
  attribute: 0x0c,
  continuation: 0x10,
  symbolTable: 0x11,
  attributeInfo: 0x15,
} as const;

/** What an element is. Texts of fixed length end at a zero; those of variable length stand in a heap of the file. */
export type ElementType =
  | { readonly kind: 'number'; readonly dtype: DType; readonly size: number }
  | { readonly kind: 'text' | 'heap-text' | 'other'; readonly size: number };

/** Where the elements of a data set are; `inline` when the header itself holds them. */
export type Layout =
  | { readonly kind: 'range'; readonly address: number | null; readonly bytes: number | null }
  | { readonly kind: 'inline'; readonly position: number; readonly bytes: number }
  | { readonly kind: 'chunked' };

/** Section IV.A.2.b. A null data space has no elements. */
export function readShape(cursor: Cursor): number[] {
  const version = cursor.uint8();
  const rank = cursor.uint8();
  cursor.skip(1);
  if (version === 1) cursor.skip(5);
  else if (version !== 2) throw cursor.corrupt(`A data space is of version ${version}.`);
  else if (cursor.uint8() === 2) return [0];
  const shape = Array.from({ length: rank }, () => cursor.uint64() ?? Number.MAX_SAFE_INTEGER);
  elementCount(shape);
  return shape;
}

const CLASS = { integer: 0, float: 1, text: 3, enumeration: 8, variable: 9 } as const;
const BIG_ENDIAN = 1;
const SIGNED = 8;

/** Section IV.A.2.d. Big-endian numbers and compounds are 'other'. */
export function readElementType(cursor: Cursor): ElementType {
  const kind = cursor.uint8() & 15;
  const flags = cursor.uint8();
  cursor.skip(2);
  const size = cursor.uint32();
  const other: ElementType = { kind: 'other', size };
  if (kind === CLASS.text) return { kind: 'text', size };
  if (kind === CLASS.variable) return (flags & 15) === 1 ? { kind: 'heap-text', size: 16 } : other;
  // NumPy's bool is an enumeration of 0 and 1.
  if (kind === CLASS.enumeration) return size === 1 ? { kind: 'number', dtype: 'bool', size } : other;
  if ((kind !== CLASS.integer && kind !== CLASS.float) || (flags & BIG_ENDIAN) !== 0) return other;
  const dtype = kind === CLASS.float ? floatType(cursor, size) : integerType(size, (flags & SIGNED) !== 0);
  return dtype === null ? other : { kind: 'number', dtype, size };
}

function integerType(size: number, signed: boolean): DType | null {
  const names: Readonly<Record<number, DType>> = signed
    ? { 1: 'int8', 2: 'int16', 4: 'int32', 8: 'int64' }
    : { 1: 'uint8', 2: 'uint16', 4: 'uint32', 8: 'uint64' };
  return names[size] ?? null;
}

function floatType(cursor: Cursor, size: number): DType | null {
  cursor.skip(5);
  const exponentBits = cursor.uint8();
  if (size === 8 && exponentBits === 11) return 'float64';
  if (size === 4 && exponentBits === 8) return 'float32';
  if (size !== 2) return null;
  return exponentBits === 5 ? 'float16' : exponentBits === 8 ? 'bfloat16' : null;
}

/** Section IV.A.2.i. Versions 1 and 2 are of HDF5 before 1.6.3 (2004). */
export function readLayout(cursor: Cursor): Layout {
  const version = cursor.uint8();
  if (version !== 3 && version !== 4) {
    throw new HoneError('format-unsupported', `The file stores data in a layout of version ${version}.`, {
      where: { offset: cursor.position },
    });
  }
  const kind = cursor.uint8();
  if (kind === 0) {
    const bytes = cursor.uint16();
    return { kind: 'inline', position: cursor.position, bytes };
  }
  if (kind === 1) return { kind: 'range', address: cursor.uint64(), bytes: cursor.uint64() };
  return { kind: 'chunked' };
}

export interface AttributeMessage {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
  /** The elements. */
  readonly content: Cursor;
}

/** Section IV.A.2.m. Version 1 pads its parts to 8 bytes. An attribute whose type stands elsewhere in the file is null. */
export function readAttribute(cursor: Cursor): AttributeMessage | null {
  const version = cursor.uint8();
  const shared = cursor.uint8() & 3;
  const sizes = [cursor.uint16(), cursor.uint16(), cursor.uint16()];
  if (version === 3) cursor.skip(1);
  else if (version !== 1 && version !== 2) throw cursor.corrupt(`An attribute is of version ${version}.`);
  if (version !== 1 && shared !== 0) return null;
  const [name, type, space] = sizes.map((size) => {
    const padded = version === 1 ? Math.ceil(size / 8) * 8 : size;
    return cursor.part(padded);
  }) as [Cursor, Cursor, Cursor];
  return {
    name: name.text(name.left),
    type: readElementType(type),
    shape: readShape(space),
    content: cursor.part(cursor.left),
  };
}

/** A link of a group to an object; null for links by path or to other files. Section IV.A.2.g. */
export function readLink(cursor: Cursor): { readonly name: string; readonly address: number } | null {
  const version = cursor.uint8();
  if (version !== 1) throw cursor.corrupt(`A link is of version ${version}.`);
  const flags = cursor.uint8();
  const type = (flags & 8) !== 0 ? cursor.uint8() : 0;
  if ((flags & 4) !== 0) cursor.skip(8);
  if ((flags & 16) !== 0) cursor.skip(1);
  const name = cursor.text(cursor.sized(flags & 3));
  const address = type === 0 ? cursor.uint64() : null;
  return address === null ? null : { name, address };
}

/** Whether a message of kind "info" (links, attributes) says that the entries are in a heap of their own. IV.A.2.c and .v. */
export function hasDenseStorage(cursor: Cursor, orderBytes: number): boolean {
  cursor.skip(1);
  if ((cursor.uint8() & 1) !== 0) cursor.skip(orderBytes);
  return cursor.uint64() !== null;
}
