/** JSON of a configuration that nobody vouches for: what is asked for is checked, and an answer of another kind is null. */
export type Json = null | boolean | number | string | readonly Json[] | JsonRecord;
export interface JsonRecord {
  readonly [key: string]: Json;
}

export function isRecord(value: Json | undefined): value is JsonRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}

export function recordOf(value: Json | undefined): JsonRecord | null {
  return isRecord(value) ? value : null;
}

export function listOf(value: Json | undefined): readonly Json[] | null {
  return isList(value) ? value : null;
}

export function textOf(value: Json | undefined): string | null {
  return typeof value === 'string' ? value : null;
}

/** A record's own field: never one of its prototype's. */
export function field(record: JsonRecord, name: string): Json | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}
