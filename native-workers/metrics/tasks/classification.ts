/**
 * One class a sample: the first float output of one number for each class (`[C]`, or `[C,1,1]`), or of a single number for
 * two classes. Terms: classes ranked, best first, at most five; equal scores rank by index.
 */
import type { Label } from '../../lib/batch.ts';
import { HoneError } from '../../protocol/errors.ts';
import type { MetricSample } from '../metric.ts';
import type { BatchRows, Numbers, Row } from '../rows.ts';
import type { FirstBatch, LabelOfSample, Question, Task } from './task.ts';

/** Also finds a classifier where there are no labels: then answers can be compared, though not judged. */
export function findClassification({ outputs, labels }: FirstBatch): Task | null {
  const known = labels.filter((label) => label !== null);
  if (!known.every((label) => typeof label === 'number' && Number.isInteger(label))) return null;
  // Without labels a detector's list of scores looks like those of classes.
  if (known.length === 0 && outputs.names.some((output) => isBoxes(outputs.row(output, 0)))) return null;
  const name = outputs.names.find((output) => classesOf(outputs.row(output, 0)) >= 2);
  if (name !== undefined) return severalClasses(name, classesOf(outputs.row(name, 0)));
  const single = outputs.names.find((output) => classesOf(outputs.row(output, 0)) === 1);
  const areBinary = known.length > 0 && known.every((label) => label === 0 || label === 1);
  return single !== undefined && areBinary ? twoClasses(single, thresholdOf(outputs, single)) : null;
}

const isBoxes = (row: Row | null): boolean => row !== null && row.shape.length === 2 && row.shape[1] === 4;

/** Numbers in a row of class scores; 0 for an output that is none. */
function classesOf(row: Row | null): number {
  if (row === null || !row.dtype.includes('float')) return 0;
  return row.shape.slice(1).every((dim) => dim === 1) ? row.values.length : 0;
}

function severalClasses(output: string, classes: number): Task {
  return {
    name: 'classification',
    classes,
    check: (question) => void checkedLabel(question, classes),
    answer(outputs, question) {
      const label = checkedLabel(question, classes);
      const values = rowOf(outputs, output, question);
      const terms = rank(values, 5);
      const [first = 0, second = 0] = values;
      return classes === 2 && terms.length > 0 ? { label, terms, score: second - first } : { label, terms };
    },
  };
}

function twoClasses(output: string, threshold: number): Task {
  return {
    name: 'classification',
    classes: 2,
    check: (question) => void checkedLabel(question, 2),
    answer(outputs, question): MetricSample {
      const label = checkedLabel(question, 2);
      const [score = Number.NaN] = rowOf(outputs, output, question);
      if (!Number.isFinite(score)) return { label, terms: [] };
      return { label, terms: score > threshold ? [1, 0] : [0, 1], score };
    },
  };
}

/** A probability is cut at 1/2, a logit at 0: numbers outside 0..1 are logits. */
function thresholdOf(outputs: BatchRows, name: string): number {
  const values = Array.from({ length: outputs.count }, (_, index) => outputs.row(name, index)?.values[0] ?? 0);
  return values.every((value) => value >= 0 && value <= 1) ? 0.5 : 0;
}

function rowOf(outputs: BatchRows, name: string, { index }: Question): Numbers {
  return outputs.row(name, index)?.values ?? new Float32Array(0);
}

function checkedLabel({ label, sample }: LabelOfSample, classes: number): number | null {
  if (label === null) return null;
  if (typeof label === 'number' && Number.isInteger(label) && label >= 0 && label < classes) return label;
  throw new HoneError(
    'labels-invalid',
    `The label of ${sample} is ${describe(label)}; the model has the classes 0 to ${classes - 1}.`,
  );
}

function describe(label: Label): string {
  return typeof label === 'number' ? String(label) : Array.isArray(label) ? `[${label.join(', ')}]` : 'no class';
}

/** Indexes of the `most` largest values, largest first; empty when a value is not a number or infinite. */
export function rank(values: Numbers, most: number): number[] {
  const best: number[] = [];
  for (let index = 0; index < values.length; index++) {
    const value = values[index] as number;
    if (!Number.isFinite(value)) return [];
    if (best.length === most && value <= (values[best[most - 1] as number] as number)) continue;
    let place = best.length;
    while (place > 0 && value > (values[best[place - 1] as number] as number)) place--;
    best.splice(place, 0, index);
    if (best.length > most) best.pop();
  }
  return best;
}
