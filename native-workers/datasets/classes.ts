/**
 * The order of classes: which name stands for which output of the model. A list of names beside the data decides; without
 * one, numbers count as numbers and names are sorted, as the common training tools do.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HoneError } from '../protocol/errors.ts';
import type { DatasetNote } from './dataset.ts';

export const CLASS_FILES = ['labels.txt', 'classes.txt', 'labels.json', 'classes.json'] as const;

export interface ClassList {
  /** Where the list was found. */
  readonly path: string;
  readonly names: readonly string[];
}

export interface ClassOrder {
  readonly classes: readonly string[];
  /** Index of a name as it stands in the data. */
  readonly indexOf: ReadonlyMap<string, number>;
  /** True when only the sorted names say which class has which index. */
  readonly assumed: boolean;
  readonly notes: readonly DatasetNote[];
}

/** The first list of class names in these folders, or null. Throws `labels-invalid` for a list that cannot be read. */
export async function findClassList(folders: readonly string[]): Promise<ClassList | null> {
  for (const folder of folders) {
    for (const file of CLASS_FILES) {
      const path = join(folder, file);
      const text = await readFile(path, 'utf8').catch(() => null);
      if (text !== null) return { path, names: parseClassList(text, path) };
    }
  }
  return null;
}

/** One name a line; or JSON: a list of names, names by index, or indexes by name. */
export function parseClassList(text: string, path: string): string[] {
  if (!path.endsWith('.json')) {
    const lines = text.split(/\r?\n/).map((line) => line.trim());
    while (lines.at(-1) === '') lines.pop();
    return lines;
  }
  const invalid = (reason: string): HoneError =>
    new HoneError('labels-invalid', `The class list ${path} cannot be used: ${reason}`, { where: { file: path } });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (thrown) {
    throw invalid(thrown instanceof Error ? thrown.message : String(thrown));
  }
  if (Array.isArray(value)) return value.map(String);
  if (typeof value !== 'object' || value === null) throw invalid('it is neither a list nor an object.');
  const entries = Object.entries(value);
  const byName = entries.every(([, index]) => Number.isInteger(index));
  const names: string[] = [];
  for (const [key, other] of entries) {
    const index = byName ? Number(other) : Number(key);
    if (!Number.isInteger(index) || index < 0 || index >= entries.length || names[index] !== undefined) {
      throw invalid(`'${key}' does not give each of the ${entries.length} classes one index from 0.`);
    }
    names[index] = byName ? key : String(other);
  }
  return names;
}

/**
 * The indexes of the names found in the data. `modelClasses` is how many the model tells apart, null when unknown.
 * Throws `labels-invalid` when the list knows some of the names but not all.
 */
export function orderClasses(found: Iterable<string>, list: ClassList | null, modelClasses: number | null): ClassOrder {
  const names = [...new Set(found)];
  const sorted = sortClassNames(names);
  const notes: DatasetNote[] = [];
  if (list !== null) {
    const known = new Map(list.names.map((name, index) => [name, index]));
    const unknown = names.filter((name) => !known.has(name));
    const used: DatasetNote = {
      code: 'classes-from-file',
      message: `The order of the classes is that of ${list.path}.`,
    };
    if (unknown.length === 0) return { classes: list.names, indexOf: known, assumed: false, notes: [used] };
    if (unknown.length < names.length) {
      throw new HoneError('labels-invalid', `The class '${unknown[0]}' of the data is not in ${list.path}.`, {
        where: { file: list.path },
      });
    }
    if (list.names.length === names.length) {
      notes.push({
        code: 'classes-from-file',
        message: `The classes of the data, sorted, are taken as the lines of ${list.path}, in that order.`,
      });
      return { classes: list.names, indexOf: indexesOf(sorted), assumed: false, notes };
    }
    notes.push({
      code: 'classes-file-unused',
      message: `${list.path} has none of the classes of the data and is not used.`,
    });
  }
  // Folders 3 and 7 of a model with ten classes are its classes 3 and 7, not its first two.
  const numbers = names.map(Number);
  const areIndexes =
    names.every((name) => /^\d+$/.test(name)) &&
    names.length !== modelClasses &&
    (modelClasses === null || Math.max(...numbers) < modelClasses);
  if (areIndexes) {
    const count = modelClasses ?? Math.max(...numbers) + 1;
    return {
      classes: Array.from({ length: count }, (_, index) => String(index)),
      indexOf: new Map(names.map((name) => [name, Number(name)])),
      assumed: false,
      notes,
    };
  }
  return { classes: sorted, indexOf: indexesOf(sorted), assumed: true, notes };
}

/** By number when all are whole numbers, else by code unit: 0-9, A-Z, a-z. */
export function sortClassNames(names: readonly string[]): string[] {
  if (names.every((name) => /^\d+$/.test(name))) return names.toSorted((a, b) => Number(a) - Number(b));
  return names.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}

function indexesOf(names: readonly string[]): Map<string, number> {
  return new Map(names.map((name, index) => [name, index]));
}
