/**
 * Objects in a picture: detections of `detection-heads.ts` matched with the labelled boxes as COCO does: by falling score, each
 * takes the free object of its class that it overlaps most. Terms: see `mean-average-precision.ts`.
 */
import type { BoxesLabel } from '../../lib/batch.ts';
import { HoneError } from '../../protocol/errors.ts';
import type { ClassNumbers } from '../../protocol/request.ts';
import { OVERLAPS } from '../mean-average-precision.ts';
import type { MetricSample } from '../metric.ts';
import type { BatchRows } from '../rows.ts';
import { type ClassNumbering, findClassNumbering } from './class-numbers.ts';
import { type Box, type Detection, findHead, overlapOf, suppress } from './detection-heads.ts';
import type { FirstBatch, LabelOfSample, Question, Task } from './task.ts';

/** Detections of a picture that count, as in COCO's evaluation. */
const MOST_DETECTIONS = 100;

const isBoxes = (label: unknown): label is BoxesLabel =>
  typeof label === 'object' && label !== null && 'kind' in label && label.kind === 'boxes';

export function findDetection(first: FirstBatch): Task | null {
  const labels = first.labels.filter(isBoxes);
  if (labels.length === 0) return null;
  const ids = first.objectClasses?.ids ?? seenClasses(labels);
  const head = findHead(first, ids.length);
  if (head === null) return null;
  // Without a list of the classes their numbers are all that is known.
  const usual = head.columns === null ? 'index' : null;
  const classes = first.objectClasses ?? { ids, numbers: usual };
  const seen = [first, ...first.further].flatMap((answers) =>
    answers.labels.flatMap((label, index) =>
      isBoxes(label) ? [{ label, detections: head.read(answers.outputs, index) }] : [],
    ),
  );
  const numbering = findClassNumbering(classes, { seen, columns: head.columns, usual: head.usual });
  const note = noteOf(numbering);
  const numberOf = new Map([...numbering.classOf].map(([number, own]) => [own, number]));
  const checkedBoxes = (question: LabelOfSample): BoxesLabel => {
    const label = boxesOf(question);
    const unscored = label.boxes.find(({ class: own }) => !hasScore(numberOf.get(own) ?? own, head.columns));
    if (unscored === undefined) return label;
    throw new HoneError(
      'labels-invalid',
      `A box of ${question.sample} is of the category ${ids[unscored.class] ?? unscored.class}, which the model has no score for; the number of its scores is ${head.columns}.`,
    );
  };
  return {
    name: 'detection',
    classes: null,
    notes: note === null ? [] : [note],
    check: (question) => void checkedBoxes(question),
    answer(outputs: BatchRows, question: Question): MetricSample {
      const { boxes } = checkedBoxes(question);
      const found = head.read(outputs, question.index);
      if (found.some(({ score, box }) => !Number.isFinite(score) || !box.every(Number.isFinite)))
        return { label: null, terms: [] };
      const known = found.flatMap((detection) => {
        const own = numbering.classOf.get(detection.class);
        return own === undefined ? [] : [{ ...detection, class: own }];
      });
      const kept = (head.overlapping ? suppress(known) : known)
        .toSorted((a, b) => b.score - a.score)
        .slice(0, MOST_DETECTIONS);
      return { label: null, terms: [boxes.length, ...boxes.map((box) => box.class), ...matches(kept, boxes)] };
    },
  };
}

/** `columns`: null for a detector that names the classes itself. */
const hasScore = (number: number, columns: number | null): boolean =>
  columns === null || (number >= 0 && number < columns);

/** Where the data names no classes: as many as the first batch shows. */
function seenClasses(labels: readonly BoxesLabel[]): number[] {
  const seen = labels.flatMap(({ boxes }) => boxes.map((box) => box.class));
  return [...Array(Math.max(0, ...seen) + 1).keys()];
}

const WORDS: Record<ClassNumbers, string> = {
  index: 'places among the classes, from 0',
  'index-from-1': 'places among the classes, from 1',
  id: 'the ids of the annotations',
  'id-from-0': 'the ids of the annotations less one',
};

/** Nothing is said of the usual way where nothing else fits. */
function noteOf({ numbers, found }: ClassNumbering): { code: string; message: string } | null {
  if (found === null && numbers === 'index') return null;
  const why =
    found === null
      ? ''
      : `: ${found.objects} of the ${found.of} objects of the first samples are found so, and no more in any other way. \`classNumbers\` in the preprocessing says it otherwise`;
  return { code: 'class-numbers', message: `The class numbers of the detector are taken for ${WORDS[numbers]}${why}.` };
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
