/**
 * Objects in a picture: detections of `detection-heads.ts` matched with the labelled boxes as COCO does: by falling score, each
 * takes the free object of its class that it overlaps most. Terms: see `mean-average-precision.ts`.
 */
import type { BoxesLabel } from '../../lib/batch.ts';
import { HoneError } from '../../protocol/errors.ts';
import { OVERLAPS } from '../mean-average-precision.ts';
import type { MetricSample } from '../metric.ts';
import type { BatchRows } from '../rows.ts';
import { type Box, type Detection, findHead, overlapOf } from './detection-heads.ts';
import type { FirstBatch, LabelOfSample, Question, Task } from './task.ts';

/** Detections of a picture that count, as in COCO's evaluation. */
const MOST_DETECTIONS = 100;

const isBoxes = (label: unknown): label is BoxesLabel =>
  typeof label === 'object' && label !== null && 'kind' in label && label.kind === 'boxes';

export function findDetection(first: FirstBatch): Task | null {
  if (!first.labels.some(isBoxes)) return null;
  const seen = first.labels.filter(isBoxes).flatMap(({ boxes }) => boxes.map((box) => box.class));
  // One batch seldom holds every class: only the data set tells a background class from a class that was not seen yet.
  const head = findHead(first, first.classes ?? Math.max(0, ...seen) + 1);
  if (head === null) return null;
  return {
    name: 'detection',
    classes: null,
    check: (question) => void boxesOf(question),
    answer(outputs: BatchRows, question: Question): MetricSample {
      const { boxes } = boxesOf(question);
      const found = head(outputs, question.index);
      if (found.some(({ score, box }) => !Number.isFinite(score) || !box.every(Number.isFinite)))
        return { label: null, terms: [] };
      const kept = found.toSorted((a, b) => b.score - a.score).slice(0, MOST_DETECTIONS);
      return {
        label: null,
        terms: [boxes.length, ...boxes.map((box) => box.class), ...matches(kept, boxes)],
      };
    },
  };
}

function boxesOf({ label, sample }: LabelOfSample): BoxesLabel {
  if (isBoxes(label)) return label;
  throw new HoneError('labels-invalid', `The label of ${sample} is no list of boxes.`);
}

/** Class, score and match bits of each detection; scores keep six digits, as they only order. */
function matches(detections: readonly Detection[], objects: BoxesLabel['boxes']): number[] {
  const taken = OVERLAPS.map(() => new Set<number>());
  return detections.flatMap((detection) => {
    let bits = 0;
    OVERLAPS.forEach((least, step) => {
      const object = bestObject(detection, objects, taken[step] as Set<number>, least);
      if (object === -1) return;
      taken[step]?.add(object);
      bits |= 1 << step;
    });
    return [detection.class, Number(detection.score.toPrecision(6)), bits];
  });
}

function bestObject(
  detection: Detection,
  objects: BoxesLabel['boxes'],
  taken: ReadonlySet<number>,
  least: number,
): number {
  let best = -1;
  let bestOverlap = least;
  objects.forEach((object, index) => {
    if (object.class !== detection.class || taken.has(index)) return;
    const overlap = overlapOf(detection.box, object.box as Box);
    if (overlap >= bestOverlap) {
      best = index;
      bestOverlap = overlap;
    }
  });
  return best;
}
