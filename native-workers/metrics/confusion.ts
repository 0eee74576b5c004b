/** The confusion matrix of a classifier and what follows from it, class by class. */
import type { MetricSample } from './metric.ts';

export interface ClassRow {
  readonly class: number;
  /** Samples of the class. */
  readonly support: number;
  /** Shares 0..1; 0 where the division has nothing to divide, as scikit-learn's default. */
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
}

/** Counts by label (row) and answer (column). Samples without a label or an answer are left out. */
export function confusionMatrix(samples: readonly MetricSample[], classes: number): number[][] {
  const matrix = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  for (const { label, terms } of samples) {
    const row = label === null ? undefined : matrix[label];
    const answer = terms[0];
    if (row !== undefined && answer !== undefined) row[answer] = (row[answer] ?? 0) + 1;
  }
  return matrix;
}

/** One row for every class that is a label or an answer of some sample, in the order of the classes. */
export function classRows(samples: readonly MetricSample[]): ClassRow[] {
  const counts = new Map<number, { support: number; answered: number; right: number }>();
  const of = (index: number): { support: number; answered: number; right: number } => {
    const found = counts.get(index) ?? { support: 0, answered: 0, right: 0 };
    counts.set(index, found);
    return found;
  };
  for (const { label, terms } of samples) {
    if (label === null) continue;
    of(label).support++;
    const answer = terms[0];
    if (answer === undefined) continue;
    of(answer).answered++;
    if (answer === label) of(label).right++;
  }
  return [...counts]
    .toSorted(([a], [b]) => a - b)
    .map(([index, { support, answered, right }]) => ({
      class: index,
      support,
      precision: ratio(right, answered),
      recall: ratio(right, support),
      f1: ratio(2 * right, answered + support),
    }));
}

/** Mean over the classes, each counted alike. */
export function macroMean(samples: readonly MetricSample[], field: 'precision' | 'recall' | 'f1'): number {
  const rows = classRows(samples);
  return rows.reduce((sum, row) => sum + row[field], 0) / rows.length;
}

const ratio = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);
