/**
 * Outputs of the common detectors as lists of detections, told apart by shapes and names of outputs:
 *
 * - boxes `[N,4]` and scores `[N,C]`: SSD-like heads and Ultraface. Corners; overlapping detections of a class are to be dropped.
 * - boxes `[N,4]`, scores `[N]`, classes `[N]` (`labels`, `classes`): detectors that end in their own suppression. Corners, in
 *   the order y, x where the output is called `detection_boxes` (TensorFlow).
 * - `pred_boxes` `[N,4]` and `logits` `[N,C+1]`: DETR. Centre and size; the last class is "nothing".
 * - one output `[4+C,N]` (YOLOv8) or `[N,5+C]` (YOLOv5): centre and size. Overlaps are to be dropped.
 *
 * Which class a number stands for is told by `class-numbers.ts`. Coordinates beyond 2 are pixels of the input and are divided by its size.
 */
import type { ClassNumbers } from '../../protocol/request.ts';
import type { BatchRows, Numbers, Row } from '../rows.ts';
import type { FirstBatch } from './task.ts';

/** Corners x1, y1, x2, y2 as shares of the picture. */
export type Box = readonly [number, number, number, number];

export interface Detection {
  /** As the detector numbers it, or of the data. */
  readonly class: number;
  readonly score: number;
  readonly box: Box;
}

export interface DetectionHead {
  /** The detections of a sample with the detector's own class numbers, the background among them where it has scores. */
  read(outputs: BatchRows, index: number): Detection[];
  /** True where several detections of an object are to be expected; see `suppress`. */
  readonly overlapping: boolean;
  /** How many class numbers have a score; null where detections name their class. */
  readonly columns: number | null;
  /** Ways to number the classes, the likeliest first. */
  readonly usual: readonly ClassNumbers[];
}

const FROM_0: readonly ClassNumbers[] = ['index', 'index-from-1', 'id', 'id-from-0'];
const BY_ID: readonly ClassNumbers[] = ['id', 'index-from-1', 'index', 'id-from-0'];

/** Detections below this score are left out before overlaps are dropped; mean average precision hardly sees them. */
const LEAST_SCORE = 0.01;
const MOST_OVERLAP = 0.5;

/** `classes`: how many the data is known to have. null when no head of the list fits. */
export function findHead({ outputs, inputs }: FirstBatch, classes: number): DetectionHead | null {
  const size = inputSize(inputs);
  const rows = outputs.names.map((name) => ({ name, row: outputs.row(name, 0) as Row }));
  const fours = rows.filter(({ row }) => row.shape.length === 2 && row.shape[1] === 4);
  // Scores of four classes have the shape of boxes.
  const boxes = fours.find(({ name }) => /box|loc/i.test(name)) ?? fours[0];
  if (boxes === undefined) {
    const single = rows[0];
    return single !== undefined && rows.length === 1 && single.row.shape.length === 2
      ? yoloHead(single.name, single.row, classes, size)
      : null;
  }
  const count = boxes.row.shape[0];
  const lists = rows.filter(({ row }) => row.shape.length === 1 && row.shape[0] === count);
  const tables = rows.filter(({ row }) => row.shape.length === 2 && row.shape[0] === count && row !== boxes.row);
  const labels = lists.find(({ name, row }) => row.dtype.startsWith('int') || /label|class/i.test(name));
  const scores = lists.find((list) => list !== labels);
  if (labels !== undefined && scores !== undefined) return listHead(boxes.name, scores.name, labels.name, size);
  const table = tables[0];
  if (table === undefined) return null;
  // The last class of DETR is "nothing".
  if (boxes.name === 'pred_boxes') return detrHead(boxes.name, table.name, (table.row.shape[1] as number) - 1, size);
  return tableHead(boxes.name, table.name, table.row.shape[1] as number, size);
}

/** Height and width of the picture that the model sees. */
function inputSize(inputs: BatchRows): readonly [number, number] {
  for (const name of inputs.names) {
    const shape = inputs.row(name, 0)?.shape;
    if (shape?.length !== 3) continue;
    const [a, b, c] = shape as [number, number, number];
    return a <= 4 ? [b, c] : [a, b];
  }
  return [1, 1];
}

function tableHead(boxes: string, scores: string, columns: number, size: readonly [number, number]): DetectionHead {
  const read = (outputs: BatchRows, index: number): Detection[] => {
    const [corners, table] = [outputs.row(boxes, index), outputs.row(scores, index)];
    if (corners === null || table === null) return [];
    const box = boxReader(corners.values, size);
    const found: Detection[] = [];
    for (let at = 0; at < (table.shape[0] as number); at++) {
      for (let column = 0; column < columns; column++) {
        const score = table.values[at * columns + column] as number;
        if (score >= LEAST_SCORE || Number.isNaN(score)) found.push({ class: column, score, box: box(at) });
      }
    }
    return found;
  };
  return { read, overlapping: true, columns, usual: FROM_0 };
}

function listHead(boxes: string, scores: string, labels: string, size: readonly [number, number]): DetectionHead {
  const isTensorFlow = boxes === 'detection_boxes';
  const read = (outputs: BatchRows, index: number): Detection[] => {
    const [corners, list, classes] = [
      outputs.row(boxes, index),
      outputs.row(scores, index),
      outputs.row(labels, index),
    ];
    if (corners === null || list === null || classes === null) return [];
    const box = boxReader(corners.values, size);
    return Array.from(list.values, (score, at) => {
      const [a, b, c, d] = box(at);
      return {
        class: classes.values[at] as number,
        score,
        box: isTensorFlow ? ([b, a, d, c] as const) : ([a, b, c, d] as const),
      };
    }).filter(({ score }) => !(score < LEAST_SCORE));
  };
  return { read, overlapping: false, columns: null, usual: isTensorFlow ? BY_ID : FROM_0 };
}

function detrHead(boxes: string, logits: string, columns: number, size: readonly [number, number]): DetectionHead {
  const read = (outputs: BatchRows, index: number): Detection[] => {
    const [centers, table] = [outputs.row(boxes, index), outputs.row(logits, index)];
    if (centers === null || table === null) return [];
    const box = boxReader(centers.values, size);
    const [count, width] = table.shape as [number, number];
    return Array.from({ length: count }, (_, at): Detection => {
      const shares = softmax(table.values.subarray(at * width, (at + 1) * width));
      let best = 0;
      for (let column = 1; column < columns; column++)
        if ((shares[column] as number) > (shares[best] as number)) best = column;
      return { class: best, score: shares[best] as number, box: fromCenter(box(at)) };
    });
  };
  return { read, overlapping: false, columns, usual: FROM_0 };
}

function yoloHead(
  name: string,
  { shape }: Row,
  classes: number,
  size: readonly [number, number],
): DetectionHead | null {
  const [rows, columns] = shape as [number, number];
  // YOLOv8 has a row for each number and many columns; YOLOv5 the other way, with a score of its own for "an object".
  const isColumns = rows < columns;
  const fields = isColumns ? rows : columns;
  const first = isColumns ? 4 : 5;
  if (fields < first + classes) return null;
  const read = (outputs: BatchRows, index: number): Detection[] => {
    const values = outputs.row(name, index)?.values;
    if (values === undefined) return [];
    const at = (candidate: number, field: number): number =>
      values[isColumns ? field * columns + candidate : candidate * columns + field] as number;
    const found: Detection[] = [];
    const [width, height] = isPixels(at, isColumns ? columns : rows) ? [size[1], size[0]] : [1, 1];
    for (let candidate = 0; candidate < (isColumns ? columns : rows); candidate++) {
      const objectness = isColumns ? 1 : at(candidate, 4);
      for (let field = first; field < fields; field++) {
        const score = objectness * at(candidate, field);
        if (score < LEAST_SCORE) continue;
        const [x, y, w, h] = [at(candidate, 0), at(candidate, 1), at(candidate, 2), at(candidate, 3)];
        const box = fromCenter([x / width, y / height, w / width, h / height]);
        found.push({ class: field - first, score, box });
      }
    }
    return found;
  };
  return { read, overlapping: true, columns: fields - first, usual: FROM_0 };
}

function isPixels(at: (candidate: number, field: number) => number, candidates: number): boolean {
  for (let candidate = 0; candidate < candidates; candidate++)
    for (let field = 0; field < 4; field++) if (at(candidate, field) > 2) return true;
  return false;
}

function boxReader(values: Numbers, [height, width]: readonly [number, number]): (at: number) => Box {
  const arePixels = values.some((value) => value > 2);
  const [x, y] = arePixels ? [width, height] : [1, 1];
  return (at) => [
    (values[at * 4] as number) / x,
    (values[at * 4 + 1] as number) / y,
    (values[at * 4 + 2] as number) / x,
    (values[at * 4 + 3] as number) / y,
  ];
}

const fromCenter = ([x, y, w, h]: Box): Box => [x - w / 2, y - h / 2, x + w / 2, y + h / 2];

function softmax(values: Numbers): number[] {
  let largest = Number.NEGATIVE_INFINITY;
  for (const value of values) largest = Math.max(largest, value);
  const powers = Array.from(values, (value) => Math.exp(value - largest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

/** Greedy suppression by class: keeps a detection unless a surer one of its class overlaps it by more than half. */
export function suppress(found: readonly Detection[]): Detection[] {
  const kept: Detection[] = [];
  for (const detection of found.toSorted((a, b) => b.score - a.score).slice(0, 3000)) {
    const covered = kept.some(
      (other) => other.class === detection.class && overlapOf(other.box, detection.box) > MOST_OVERLAP,
    );
    if (!covered) kept.push(detection);
  }
  return kept;
}

/** Intersection over union. */
export function overlapOf(a: Box, b: Box): number {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  if (width <= 0 || height <= 0) return 0;
  const both = width * height;
  return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both);
}
