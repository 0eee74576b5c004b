/**
 * Which class of the data a number in a detector's answer stands for. Detectors number classes in four ways: in the order of
 * their ids from 0 (YOLO, torchvision) or from 1 with 0 for the background (TensorFlow's own, SSD), by the ids of the annotations,
 * gaps and all (models trained on COCO: 1 to 90 for 80 classes; DETR), or by these less one (TensorFlow Lite's SSD).
 *
 * The way is the one that the preprocessing names; else, of those that fit the number of scores, the one under which most
 * labelled objects of the first samples are found.
 */
import type { BoxesLabel, ObjectClasses } from '../../lib/batch.ts';
import type { ClassNumbers } from '../../protocol/request.ts';
import { type Box, type Detection, overlapOf } from './detection-heads.ts';

const NUMBERS: Record<ClassNumbers, (index: number, id: number) => number> = {
  index: (index) => index,
  'index-from-1': (index) => index + 1,
  id: (_, id) => id,
  'id-from-0': (_, id) => id - 1,
};

/** An object counts as found from this overlap on, as in COCO's evaluation. */
const FOUND = 0.5;

export interface ClassNumbering {
  readonly numbers: ClassNumbers;
  /** Class of the data by the number of the detector; what is not in it is the background, or a class that the data lacks. */
  readonly classOf: ReadonlyMap<number, number>;
  /** Labelled objects of the first samples that are found so; null where there was no choice. */
  readonly found: { readonly objects: number; readonly of: number } | null;
}

export interface FirstAnswers {
  /** The first samples: their labels, and the answers with the detector's own class numbers. */
  readonly seen: readonly { readonly label: BoxesLabel; readonly detections: readonly Detection[] }[];
  /** How many classes the detector scores; null where it lists them. */
  readonly columns: number | null;
  /** Preferred where the objects do not decide, best first. */
  readonly usual: readonly ClassNumbers[];
}

export function findClassNumbering(classes: ObjectClasses, first: FirstAnswers): ClassNumbering {
  const ways = waysOf(classes, first).map((numbers) => ({ numbers, classOf: mapOf(classes.ids, numbers) }));
  const [only] = ways;
  if (only !== undefined && ways.length === 1) return { ...only, found: null };
  const counted = ways.map((way) => ({ ...way, objects: objectsFound(way.classOf, first) }));
  const best = counted.reduce((most, other) => (other.objects > most.objects ? other : most));
  const of = first.seen.reduce((sum, { label }) => sum + label.boxes.length, 0);
  return { numbers: best.numbers, classOf: best.classOf, found: { objects: best.objects, of } };
}

/** Ways that give the same numbers are one. */
function waysOf({ ids, numbers }: ObjectClasses, { columns, usual }: FirstAnswers): readonly ClassNumbers[] {
  if (numbers !== null) return [numbers];
  const sizes = usual.map((way) => ({ way, size: Math.max(...mapOf(ids, way).keys()) + 1 }));
  const exact = sizes.filter(({ size }) => size === columns);
  const fitting = exact.length > 0 ? exact : sizes.filter(({ size }) => columns === null || size <= columns);
  const ways = (fitting.length > 0 ? fitting : sizes.slice(0, 1)).map(({ way }) => way);
  const keys = ways.map((way) => [...mapOf(ids, way).keys()].join());
  return ways.filter((_, index) => keys.indexOf(keys[index] as string) === index);
}

function mapOf(ids: readonly number[], numbers: ClassNumbers): Map<number, number> {
  return new Map(ids.map((id, index) => [NUMBERS[numbers](index, id), index]));
}

function objectsFound(classOf: ReadonlyMap<number, number>, { seen }: FirstAnswers): number {
  let found = 0;
  for (const { label, detections } of seen) {
    for (const object of label.boxes) {
      const isFound = detections.some(
        (detection) =>
          classOf.get(detection.class) === object.class && overlapOf(detection.box, object.box as Box) >= FOUND,
      );
      if (isFound) found++;
    }
  }
  return found;
}
