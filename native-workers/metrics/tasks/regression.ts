/**
 * Values to predict: the first float output with as many numbers as the label has. Terms: sum of squared errors, sum of
 * absolute errors, number of values.
 */
import { HoneError } from '../../protocol/errors.ts';
import type { MetricSample } from '../metric.ts';
import type { BatchRows } from '../rows.ts';
import type { FirstBatch, LabelOfSample, Question, Task } from './task.ts';

export function findRegression({ outputs, labels }: FirstBatch): Task | null {
  const label = labels.find((value) => value !== null);
  if (label === undefined || label === null) return null;
  if (typeof label !== 'number' && !Array.isArray(label)) return null;
  const length = typeof label === 'number' ? 1 : label.length;
  const output = outputs.names.find((name) => {
    const row = outputs.row(name, 0);
    return row?.dtype.includes('float') === true && row.values.length === length;
  });
  if (output === undefined) return null;
  return {
    name: 'regression',
    classes: null,
    check: (question) => void valuesOf(question, length),
    answer: (rows, question) => answer(rows, output, length, question),
  };
}

function valuesOf({ label, sample }: LabelOfSample, length: number): readonly number[] {
  const truth = typeof label === 'number' ? [label] : Array.isArray(label) ? (label as readonly number[]) : null;
  if (truth !== null && truth.length === length && truth.every(Number.isFinite)) return truth;
  throw new HoneError(
    'labels-invalid',
    `The label of ${sample} is not ${length === 1 ? 'a number' : `${length} numbers`}.`,
  );
}

function answer(outputs: BatchRows, output: string, length: number, question: Question): MetricSample {
  const truth = valuesOf(question, length);
  const values = outputs.row(output, question.index)?.values;
  let squares = 0;
  let absolutes = 0;
  truth.forEach((expected, at) => {
    const error = (values?.[at] ?? Number.NaN) - expected;
    squares += error * error;
    absolutes += Math.abs(error);
  });
  const single = truth[0] as number;
  return { label: length === 1 ? single : null, terms: Number.isFinite(squares) ? [squares, absolutes, length] : [] };
}
