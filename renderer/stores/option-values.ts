/**
 * Option values as a form holds them, and back: text stays as it was typed until it is read, so that a half-typed number is
 * a problem on its field and not a jump of the cursor.
 */
import type { OptionForm } from '../../native-workers/protocol/studio.ts';
import { PROBLEMS } from '../text/problems.ts';

/** Text, or the state of a switch. An empty text stands for null where null is the default. */
export type RawValue = boolean | string;

export type Reading<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly problem: string };

export function rawOf(form: OptionForm, value: unknown): RawValue {
  if (form.kind === 'boolean') return value === true;
  if (value === null || value === undefined) return '';
  if (Array.isArray(value)) {
    // An item with a comma would read back as two: JSON keeps it whole.
    return value.some((item) => typeof item !== 'number' && (typeof item !== 'string' || /[,[]/.test(item)))
      ? JSON.stringify(value)
      : value.join(', ');
  }
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

export function readOption(form: OptionForm, raw: RawValue): Reading<unknown> {
  if (typeof raw === 'boolean') return { ok: true, value: raw };
  const text = raw.trim();
  if (text === '' && form.default === null) return { ok: true, value: null };
  switch (form.kind) {
    case 'boolean':
      return { ok: true, value: text === 'true' };
    case 'number':
    case 'integer':
      return readNumber(text, {
        integer: form.kind === 'integer',
        ...(form.minimum === undefined ? {} : { minimum: form.minimum }),
        ...(form.maximum === undefined ? {} : { maximum: form.maximum }),
      });
    case 'choice':
      if (!form.choices?.includes(text)) return { ok: false, problem: PROBLEMS.choice(form.choices ?? []) };
      return { ok: true, value: typeof form.default === 'number' ? Number(text) : text };
    case 'list':
      return readList(text, form.choices);
    case 'text':
      return { ok: true, value: raw };
  }
}

export interface NumberBounds {
  readonly integer?: boolean;
  /** Above zero. */
  readonly positive?: boolean;
  readonly minimum?: number;
  readonly maximum?: number;
}

export function readNumber(text: string, bounds: NumberBounds = {}): Reading<number> {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) return { ok: false, problem: PROBLEMS.number };
  if (bounds.integer === true && !Number.isSafeInteger(value)) return { ok: false, problem: PROBLEMS.integer };
  if (bounds.positive === true && value <= 0) return { ok: false, problem: PROBLEMS.positive };
  if (bounds.minimum !== undefined && value < bounds.minimum) {
    return { ok: false, problem: PROBLEMS.minimum(bounds.minimum) };
  }
  if (bounds.maximum !== undefined && value > bounds.maximum) {
    return { ok: false, problem: PROBLEMS.maximum(bounds.maximum) };
  }
  return { ok: true, value };
}

/** Numbers apart by commas or blanks; an empty text is null. */
export function readNumbers(text: string, bounds: NumberBounds = {}): Reading<number[] | null> {
  const parts = text.split(/[\s,;]+/).filter((part) => part !== '');
  if (parts.length === 0) return { ok: true, value: null };
  const values: number[] = [];
  for (const part of parts) {
    const reading = readNumber(part, bounds);
    if (!reading.ok) return { ok: false, problem: PROBLEMS.item(part, reading.problem) };
    values.push(reading.value);
  }
  return { ok: true, value: values };
}

function readList(text: string, choices: readonly string[] | undefined): Reading<unknown[]> {
  if (text === '') return { ok: true, value: [] };
  if (text.startsWith('[')) {
    try {
      const value: unknown = JSON.parse(text);
      if (Array.isArray(value)) return { ok: true, value };
    } catch {
      // Told below.
    }
    return { ok: false, problem: PROBLEMS.list };
  }
  const items = text.split(',').map((item) => item.trim());
  if (items.includes('')) return { ok: false, problem: PROBLEMS.list };
  const unknown = choices === undefined ? undefined : items.find((item) => !choices.includes(item));
  if (unknown !== undefined) return { ok: false, problem: PROBLEMS.item(unknown, PROBLEMS.choice(choices ?? [])) };
  return { ok: true, value: items.map((item) => (Number.isNaN(Number(item)) ? item : Number(item))) };
}
