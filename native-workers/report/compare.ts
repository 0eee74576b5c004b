/** Where two JSON values differ, for `verify`: as a path and the two values. */

/**
 * Numbers computed on another version of the engine may differ in the last digits of a logarithm or exponential; what
 * people could read differently is far above this. (Exact bytes are the digest's matter.)
 */
const TOLERANCE = 1e-9;

/** The first few differences of `found` from `expected`; none when they are equal. */
export function differences(expected: unknown, found: unknown, path = '', most = 5): string[] {
  if (Object.is(expected, found)) return [];
  if (typeof expected === 'number' && typeof found === 'number') {
    const scale = Math.max(Math.abs(expected), Math.abs(found));
    return Math.abs(expected - found) <= TOLERANCE * scale ? [] : [difference(path, expected, found)];
  }
  if (!isObject(expected) || !isObject(found) || Array.isArray(expected) !== Array.isArray(found)) {
    return [difference(path, expected, found)];
  }
  const keys = new Set([...Object.keys(expected), ...Object.keys(found)]);
  const all: string[] = [];
  for (const key of keys) {
    if (all.length >= most) break;
    all.push(...differences(expected[key], found[key], path === '' ? key : `${path}.${key}`, most - all.length));
  }
  return all;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function difference(path: string, expected: unknown, found: unknown): string {
  return `${path}: ${brief(found)} instead of ${brief(expected)}`;
}

function brief(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
