/** Choosing of boxes. Source: onnx Operators.md, NonMaxSuppression, and onnxruntime's non_max_suppression.cc. */
import type { Node } from '../../../graph/node.ts';
import type { MilType, MilValue } from '../program.ts';
import { compare, concat, expandDims, gatherAlongAxis, gatherNd, sliceAxis, take } from './builders.ts';
import type { Lower, Lowering } from './lowering.ts';
import { Refusal, staticDims } from './terms.ts';

/** Below every score: MIL's own bound keeps scores at it, ONNX's does not, so that scores are compared afterwards. */
const LEAST = -3.4e38;

/**
 * MIL's operator takes a set of boxes with their scores a row, and each class of each picture is one. It gives `most` places for
 * each, those that are left over -1: rows of [picture, class, box] are made of the others. Coordinates stay in float32.
 */
function nonMaxSuppression(node: Node, lowering: Lowering): void {
  lowering.precise();
  const scores = lowering.get(node, 1);
  const [batch = 1, classes = 1, count = 1] = staticDims(scores.type.shape, 'scores of boxes');
  const most = Math.min(count, node.inputs[2] ? (lowering.fixed(node, 2, 'the number of boxes')[0] ?? 0) : 0);
  if (most === 0) throw new Refusal('it chooses 0 boxes, and Core ML has no empty tensors');
  const overlap = node.inputs[3] ? (lowering.fixed(node, 3, 'the overlap of boxes')[0] ?? 0) : 0;
  const sets = batch * classes;
  const given = lowering.get(node, 0);
  const pictures = Array.from({ length: sets }, (_, set) => Math.floor(set / classes));
  const boxes = take(lowering, node.int('center_point_box', 0) === 1 ? given : centred(lowering, given), pictures, 0);
  const rows = lowering.reshape(scores, [sets, count]);
  const chosen = suppressed(lowering, boxes, rows, most, overlap);

  let isChosen = compare(lowering, 'greater_equal', chosen, lowering.int(0));
  if (node.inputs[4]) {
    const own = gatherAlongAxis(lowering, rows, lowering.binary('maximum', chosen, lowering.int(0)), 1);
    const bound = lowering.float(lowering.fixed(node, 4, 'the least score')[0] ?? 0, 'least_score');
    isChosen = lowering.binary('logical_and', isChosen, compare(lowering, 'greater', own, bound));
  }
  const places = lowering.op('non_zero', { x: isChosen }, { dtype: 'int32', shape: [null, 2] });
  const set = sliceAxis(lowering, places, 1, 0, 1);
  const columns = [
    lowering.binary('floor_div', set, lowering.int(classes)),
    lowering.binary('mod', set, lowering.int(classes)),
    expandDims(lowering, gatherNd(lowering, chosen, places, [null]), [1]),
  ];
  lowering.result(node, concat(lowering, columns, 1));
}

/** Corners, of which either may come first, as centre and size. [sets, boxes, 4]. */
function centred(lowering: Lowering, boxes: MilValue): MilValue {
  const [y1, x1, y2, x2] = [0, 1, 2, 3].map((at) => sliceAxis(lowering, boxes, 2, at, at + 1)) as [
    MilValue,
    MilValue,
    MilValue,
    MilValue,
  ];
  const along = (a: MilValue, b: MilValue): [MilValue, MilValue] => {
    const low = lowering.binary('minimum', a, b);
    const size = lowering.binary('sub', lowering.binary('maximum', a, b), low);
    return [lowering.binary('add', low, lowering.binary('mul', size, lowering.float(0.5))), size];
  };
  const [x, width] = along(x1, x2);
  const [y, height] = along(y1, y2);
  return concat(lowering, [x, y, width, height], 2);
}

/** [sets, most]: the places of the boxes that are kept, the best first, then -1. */
function suppressed(lowering: Lowering, boxes: MilValue, scores: MilValue, most: number, overlap: number): MilValue {
  const [sets = 1] = scores.type.shape as number[];
  const parameters = {
    iou_threshold: lowering.float(overlap, 'iou_threshold'),
    max_boxes: lowering.int(most, 'max_boxes'),
    per_class_suppression: lowering.bool(false, 'per_class'),
  };
  const indices = lowering.spare({ dtype: 'int32', shape: [sets, most] });
  const spare = (...shape: number[]): MilValue => lowering.spare({ dtype: 'fp32', shape } satisfies MilType);
  // iOS 17 put the boxes last and gave up the number of those that were kept.
  if (lowering.target >= 17) {
    lowering.operation(
      'non_maximum_suppression',
      { boxes: lowering.transpose(boxes, [0, 2, 1]), scores: expandDims(lowering, scores, [1]), ...parameters },
      [spare(sets, 4, most), spare(sets, 1, most), indices],
    );
    return indices;
  }
  const kept = lowering.spare({ dtype: 'int32', shape: [sets] });
  lowering.operation(
    'non_maximum_suppression',
    {
      boxes,
      scores: expandDims(lowering, scores, [2]),
      ...parameters,
      score_threshold: lowering.float(LEAST, 'score_threshold'),
    },
    [spare(sets, most, 4), spare(sets, most, 1), indices, kept],
  );
  const counted = lowering.ints(Array.from({ length: most }, (_, at) => at));
  const isKept = lowering.cast(compare(lowering, 'less', counted, expandDims(lowering, kept, [1])), 'int32');
  // (index + 1) * kept - 1: -1 for those that are left over.
  const next = lowering.binary('add', indices, lowering.int(1));
  return lowering.binary('sub', lowering.binary('mul', next, isKept), lowering.int(1));
}

export const DETECTION: Readonly<Record<string, Lower>> = { NonMaxSuppression: nonMaxSuppression };
