/** A column of labels as it stands in the data, as class indexes or values. */
import type { Label } from '../lib/batch.ts';
import type { ClassList } from './classes.ts';
import { orderClasses } from './classes.ts';
import type { DatasetNote } from './dataset.ts';

export interface LabelColumn {
  readonly classes: readonly string[] | null;
  /** True when only the sorted names say which class has which index. */
  readonly assumed: boolean;
  readonly notes: readonly DatasetNote[];
  /** null for a row without a label. */
  labelOf(index: number): Label;
}

type RawLabel = number | string | readonly number[] | null;

/**
 * Numbers stay what they are; text is looked up in the class list or sorted, unless all of it is numbers; rows of a one-hot
 * array as wide as the model has classes become the class.
 */
export function labelColumn(
  raw: readonly RawLabel[],
  classList: ClassList | null,
  modelClasses: number | null,
): LabelColumn {
  const texts = raw.filter((label): label is string => typeof label === 'string');
  const isText = texts.some((text) => text.trim() === '' || !Number.isFinite(Number(text)));
  if (isText) {
    const order = orderClasses(texts, classList, modelClasses);
    return column(
      raw.map((label) => (label === null ? null : (order.indexOf.get(String(label)) ?? null))),
      order.classes,
      order.notes,
      order.assumed,
    );
  }
  const names = classList?.names ?? null;
  const plain = raw.map((label) => (typeof label === 'string' ? Number(label) : label));
  const isOneHot =
    modelClasses !== null &&
    modelClasses > 1 &&
    plain.length > 0 &&
    plain.every((label) => oneHot(label, modelClasses) !== null);
  if (!isOneHot) return column(plain, names, []);
  const note = { code: 'labels-one-hot', message: 'The labels are one-hot rows; the class is the place of the one.' };
  return column(
    plain.map((label) => oneHot(label, modelClasses)),
    names,
    [note],
  );
}

function oneHot(label: RawLabel, classes: number): number | null {
  if (!Array.isArray(label) || label.length !== classes) return null;
  const ones = label.filter((value) => value === 1).length;
  return ones === 1 && label.every((value) => value === 0 || value === 1) ? label.indexOf(1) : null;
}

function column(
  labels: readonly Label[],
  classes: readonly string[] | null,
  notes: readonly DatasetNote[],
  assumed = false,
): LabelColumn {
  return {
    classes,
    assumed,
    notes,
    labelOf: (index) => labels[index] ?? null,
  };
}
