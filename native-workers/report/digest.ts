/** A digest over the meaning of JSON: keys in order, no spaces, so that formatting does not count and every digit does. */
import { createHash } from 'node:crypto';

/** JSON with the keys of every object sorted. Throws on values that JSON does not have (NaN, infinity, functions). */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new RangeError('A number of a report is not finite.');
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'object') {
    const entries = Object.entries(value)
      .filter(([, entry]) => entry !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([key, entry]) => `${JSON.stringify(key)}:${canonicalJson(entry)}`).join(',')}}`;
  }
  throw new TypeError(`JSON has no ${typeof value}.`);
}

export function sha256Hex(text: string | Uint8Array): string {
  return createHash('sha256').update(text).digest('hex');
}

/** Of a report without its own `digest` field. */
export function digestOf(document: Readonly<Record<string, unknown>>): string {
  const { digest: _digest, ...rest } = document;
  return sha256Hex(canonicalJson(rest));
}
