/**
 * A class for each pixel: the first output `[C,H,W]` (largest wins), `[1,H,W]` (above the threshold of a probability or
 * logit), or `[H,W]` of whole numbers. The mask is sampled at the middle of the output's pixels. Terms: class, pixels in both,
 * pixels in either, for each class in the mask or the answer; pixels of class 255 do not count.
 */
import type { MaskLabel } from '../../lib/batch.ts';
import { HoneError } from '../../protocol/errors.ts';
import type { MetricSample } from '../metric.ts';
import type { BatchRows, Row } from '../rows.ts';
import type { FirstBatch, LabelOfSample, Question, Task } from './task.ts';

const NOT_COUNTED = 255;

export function findSegmentation({ outputs, labels }: FirstBatch): Task | null {
  if (!labels.some(isMask)) return null;
  const output = outputs.names.find((name) => isMap(outputs.row(name, 0)));
  const row = output === undefined ? null : outputs.row(output, 0);
  if (output === undefined || row === null) return null;
  const classes = row.shape.length === 3 ? Math.max(2, row.shape[0] as number) : null;
  const isProbability = row.values.every((value) => value >= 0 && value <= 1);
  const threshold = isProbability ? 0.5 : 0;
  return {
    name: 'segmentation',
    classes,
    check: (question) => checkMask(question, classes),
    answer: (rows, question) => answer(rows, output, classes, threshold, question),
  };
}

const isMask = (label: unknown): label is MaskLabel =>
  typeof label === 'object' && label !== null && 'kind' in label && label.kind === 'mask';

function maskOf({ label, sample }: LabelOfSample): MaskLabel {
  if (isMask(label)) return label;
  throw new HoneError('labels-invalid', `The label of ${sample} is no mask.`);
}

/** Throws `labels-invalid` for a class that the model does not have, at any pixel. */
function checkMask(question: LabelOfSample, classes: number | null): void {
  const past = maskOf(question).classes.find((value) => value !== NOT_COUNTED && value >= (classes ?? NOT_COUNTED));
  if (past !== undefined && classes !== null) throw classPast(question.sample, past, classes);
}

function classPast(sample: string, found: number, classes: number): HoneError {
  return new HoneError(
    'labels-invalid',
    `The mask of ${sample} holds class ${found}; the model has the classes 0 to ${classes - 1}.`,
  );
}

function isMap(row: Row | null): boolean {
  if (row === null) return false;
  if (row.shape.length === 3)
    return row.dtype.includes('float') && (row.shape[1] as number) > 1 && (row.shape[2] as number) > 1;
  return row.shape.length === 2 && row.dtype.includes('int');
}

function answer(
  outputs: BatchRows,
  output: string,
  classes: number | null,
  threshold: number,
  question: Question,
): MetricSample {
  const label = maskOf(question);
  const row = outputs.row(output, question.index);
  if (row === null || row.values.some((value) => !Number.isFinite(value))) return { label: null, terms: [] };
  const [height, width] = row.shape.slice(-2) as [number, number];
  const sums = new Map<number, { both: number; either: number }>();
  const of = (key: number): { both: number; either: number } => {
    const found = sums.get(key) ?? { both: 0, either: 0 };
    sums.set(key, found);
    return found;
  };
  for (let y = 0; y < height; y++) {
    const maskY = Math.floor(((y + 0.5) * label.height) / height);
    for (let x = 0; x < width; x++) {
      const maskX = Math.floor(((x + 0.5) * label.width) / width);
      const truth = label.classes[maskY * label.width + maskX] as number;
      if (truth === NOT_COUNTED) continue;
      if (classes !== null && truth >= classes) throw classPast(question.sample, truth, classes);
      const found = classAt(row, y * width + x, height * width, threshold);
      of(truth).either++;
      if (found === truth) of(truth).both++;
      else of(found).either++;
    }
  }
  return { label: null, terms: [...sums].flatMap(([key, { both, either }]) => [key, both, either]) };
}

function classAt({ shape, values }: Row, pixel: number, pixels: number, threshold: number): number {
  if (shape.length === 2) return values[pixel] as number;
  const classes = shape[0] as number;
  if (classes === 1) return (values[pixel] as number) > threshold ? 1 : 0;
  let best = 0;
  for (let index = 1; index < classes; index++) {
    if ((values[index * pixels + pixel] as number) > (values[best * pixels + pixel] as number)) best = index;
  }
  return best;
}
