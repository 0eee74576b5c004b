/**
 * Mean average precision of a detector, as COCO's evaluation defines it: precision at 101 points of recall, made monotone,
 * mean over the classes; `map` is also the mean over the overlaps 0.50, 0.55 … 0.95.
 *
 * Terms of a sample: the number of its objects, the class of each, then class, score and matches for each detection, where
 * bit k of matches says that it found an object at the overlap 0.50 + 0.05 k.
 */
import { always, type Metric, type MetricSample } from './metric.ts';

export const OVERLAPS: readonly number[] = Array.from({ length: 10 }, (_, step) => 0.5 + 0.05 * step);

export const meanAveragePrecision: Metric = {
  name: 'map',
  summary: 'Mean average precision over the overlaps 0.50 to 0.95 and over the classes.',
  task: 'detection',
  better: 'higher',
  unit: 'share',
  applies: always,
  value: (samples) =>
    averagePrecision(
      samples,
      OVERLAPS.map((_, step) => step),
    ),
};

export const meanAveragePrecision50: Metric = {
  ...meanAveragePrecision,
  name: 'map-50',
  summary: 'Mean average precision at the overlap 0.50, over the classes.',
  value: (samples) => averagePrecision(samples, [0]),
};

interface ClassDetections {
  objects: number;
  readonly detections: { readonly score: number; readonly matches: number }[];
}

function averagePrecision(samples: readonly MetricSample[], steps: readonly number[]): number {
  const values: number[] = [];
  for (const { objects, detections } of byClass(samples).values()) {
    // A class without an object in the data has no recall, so COCO leaves it out.
    if (objects === 0) continue;
    detections.sort((a, b) => b.score - a.score);
    for (const step of steps) values.push(precisionOverRecall(detections, objects, step));
  }
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function byClass(samples: readonly MetricSample[]): Map<number, ClassDetections> {
  const classes = new Map<number, ClassDetections>();
  const of = (index: number): ClassDetections => {
    const found = classes.get(index) ?? { objects: 0, detections: [] };
    classes.set(index, found);
    return found;
  };
  for (const { terms } of samples) {
    const objects = terms[0] ?? 0;
    for (let at = 1; at <= objects; at++) of(terms[at] as number).objects++;
    for (let at = objects + 1; at + 2 < terms.length; at += 3) {
      of(terms[at] as number).detections.push({ score: terms[at + 1] as number, matches: terms[at + 2] as number });
    }
  }
  return classes;
}

/** `detections` by falling score. */
function precisionOverRecall(detections: ClassDetections['detections'], objects: number, step: number): number {
  const precisions: number[] = [];
  const recalls: number[] = [];
  let found = 0;
  detections.forEach(({ matches }, index) => {
    if ((matches >> step) & 1) found++;
    precisions.push(found / (index + 1));
    recalls.push(found / objects);
  });
  for (let at = precisions.length - 2; at >= 0; at--) {
    precisions[at] = Math.max(precisions[at] as number, precisions[at + 1] as number);
  }
  let sum = 0;
  for (let point = 0, at = 0; point <= 100; point++) {
    while (at < recalls.length && (recalls[at] as number) < point / 100 - 1e-12) at++;
    sum += precisions[at] ?? 0;
  }
  return sum / 101;
}
