/**
 * The TFLite FlatBuffer schema as data: `schema.json` holds each table's fields as "slot type default", the enums and the
 * unions (member n of the list has type code n + 1). Source: tflite/converter/schema/schema.fbs of LiteRT (2026-08-21).
 * `versions.json` holds the first runtime that knows each operator version, and the versions that the runtime registers.
 */
import type { DType } from '../../graph/dtype.ts';
import schemaFile from './schema.json' with { type: 'json' };

/** Where a field of a table is and what it holds. */
export interface Field {
  readonly slot: number;
  /** A scalar (`int`, `bool`, `float`, `long`, …), an enum, a table, a union, or a vector of one in brackets. */
  readonly type: string;
  /** As the schema writes it; null for zero. */
  readonly fallback: string | null;
}

export type BuiltinOperator = keyof typeof schemaFile.enums.BuiltinOperator;
export type TensorType = keyof typeof schemaFile.enums.TensorType;
export type TableName = keyof typeof schemaFile.tables;

export const BUILTIN_OPERATORS: Readonly<Record<BuiltinOperator, number>> = schemaFile.enums.BuiltinOperator;
export const TENSOR_TYPES: Readonly<Record<TensorType, number>> = schemaFile.enums.TensorType;
export const UNIONS: Readonly<Record<string, readonly string[]>> = schemaFile.unions;
export const ENUMS: Readonly<Record<string, Readonly<Record<string, number>>>> = schemaFile.enums;

export const FILE_IDENTIFIER = 'TFL3';

const OPERATOR_NAMES = new Map(
  Object.entries(BUILTIN_OPERATORS).map(([name, code]) => [code, name as BuiltinOperator] as const),
);

/** The operator's name, or null for a code that this version does not know. */
export function operatorName(code: number): BuiltinOperator | null {
  return OPERATOR_NAMES.get(code) ?? null;
}

const TABLES = new Map<string, ReadonlyMap<string, Field>>(
  Object.entries(schemaFile.tables as Readonly<Record<string, Readonly<Record<string, string>>>>).map(
    ([table, fields]) => [
      table,
      new Map(Object.entries(fields).map(([name, text]) => [name, parseField(text)] as const)),
    ],
  ),
);

function parseField(text: string): Field {
  const [slot = '0', type = '', fallback] = text.split(' ');
  return { slot: Number(slot), type, fallback: fallback ?? null };
}

/** The fields of a table by name, in order of their slots; empty for a table that the schema does not have. */
export function fieldsOf(table: string): ReadonlyMap<string, Field> {
  return TABLES.get(table) ?? new Map();
}

/** The slot of a field. Throws for a name that the schema does not have: a mistake in the code, not in a file. */
export function slotOf(table: TableName, field: string): number {
  const found = TABLES.get(table)?.get(field);
  if (found === undefined) throw new Error(`the schema has no field ${field} in ${table}`);
  return found.slot;
}

/** Element types that both sides have. */
const DTYPE_OF: Partial<Record<TensorType, DType>> = {
  FLOAT32: 'float32',
  FLOAT16: 'float16',
  INT32: 'int32',
  UINT8: 'uint8',
  INT64: 'int64',
  STRING: 'string',
  BOOL: 'bool',
  INT16: 'int16',
  COMPLEX64: 'complex64',
  INT8: 'int8',
  FLOAT64: 'float64',
  COMPLEX128: 'complex128',
  UINT64: 'uint64',
  UINT32: 'uint32',
  UINT16: 'uint16',
  INT4: 'int4',
  BFLOAT16: 'bfloat16',
  INT2: 'int2',
  UINT4: 'uint4',
  FLOAT8_E4M3FN: 'float8e4m3fn',
  FLOAT8_E5M2: 'float8e5m2',
};

const BY_CODE = new Map<number, DType>();
const BY_DTYPE = new Map<DType, number>();
for (const [name, dtype] of Object.entries(DTYPE_OF)) {
  const code = TENSOR_TYPES[name as TensorType];
  BY_CODE.set(code, dtype);
  BY_DTYPE.set(dtype, code);
}

/** The dtype of a `TensorType` code; null for resources, variants and codes that this version does not know. */
export function dtypeOfTensorType(code: number): DType | null {
  return BY_CODE.get(code) ?? null;
}

/** The `TensorType` code of a dtype; null when TFLite has no such type. */
export function tensorTypeOf(dtype: DType): number | null {
  return BY_DTYPE.get(dtype) ?? null;
}

/** `tensorTypeOf` as a table. */
export const DTYPE_CODES: Readonly<Partial<Record<DType, number>>> = Object.fromEntries(BY_DTYPE);
