/** MIL's choice of boxes. Source: coremltools, ops/defs/iOS15 and iOS17/tensor_operation.py, non_maximum_suppression. */
import { tensorFromNumbers } from '../../../graph/tensor-values.ts';
import type { Value } from '../../../graph/value.ts';
import { HoneError } from '../../../protocol/errors.ts';
import { type Call, onnxDType, type Raise } from './raising.ts';

/** Bounds below this keep every box: ONNX's keeps those above it only, MIL's those at it too. */
const LEAST = -3e38;

/**
 * Boxes, scores and places of those that are kept, in the room of `max_boxes` a set; what is left over is 0, and -1 among the
 * places. iOS 17 put the boxes last and gave up the number of those kept, which is the fourth result before.
 */
function nonMaximumSuppression(call: Call): Value[] {
  const { raising } = call;
  const isOld = call.has('score_threshold');
  const turned = (x: Value): Value => raising.one('Transpose', [x], { perm: [0, 2, 1] });
  const boxes = isOld ? call.x('boxes') : turned(call.x('boxes'));
  const scores = isOld ? turned(call.x('scores')) : call.x('scores');
  const [sets, first, last] = call.type('scores').shape;
  const isKnown = (isOld ? last : first) === 1 && typeof sets === 'number';
  if (!isKnown || (isOld && call.number('score_threshold') > LEAST))
    throw new HoneError('format-unsupported', 'This kind of non_maximum_suppression is not read.');
  const most = call.number('max_boxes');
  const number = (value: number): Value => raising.scalar('int64', value);
  const float = (value: number): Value => raising.tensor(tensorFromNumbers('float32', [value], [1]));
  const single = (x: Value): Value => raising.cast(x, 'float32');
  const chosen = raising.one(
    'NonMaxSuppression',
    [single(boxes), single(scores), raising.int64s([most]), float(call.number('iou_threshold'))],
    { center_point_box: 1 },
  );
  const column = (at: number): Value => raising.one('Gather', [chosen, number(at)], { axis: 1 });
  const [set, box] = [column(0), column(2)];
  // How many each set has, and where its first one stands among all.
  const all = raising.tensor(
    tensorFromNumbers(
      'int64',
      Array.from({ length: sets }, (_, at) => at),
      [1, sets],
    ),
  );
  const isOf = raising.one('Equal', [raising.one('Unsqueeze', [set, raising.int64s([1])]), all]);
  const counts = raising.one('ReduceSum', [raising.cast(isOf, 'int64'), raising.int64s([0])], { keepdims: 0 });
  const starts = raising.one('CumSum', [counts, number(0)], { exclusive: 1 });
  const total = raising.one('Squeeze', [raising.one('Shape', [set])]);
  const order = raising.one('Range', [number(0), total, number(1)]);
  const slot = raising.one('Sub', [order, raising.one('Gather', [starts, set])]);
  const pair = [set, slot].map((each) => raising.one('Unsqueeze', [each, raising.int64s([1])]));
  const empty = raising.one('Expand', [number(-1), raising.int64s([sets, most])]);
  const places = raising.one('ScatterND', [empty, raising.one('Concat', pair, { axis: 1 }), box]);

  const kept = raising.one('Max', [places, number(0)]);
  const isKept = raising.one('GreaterOrEqual', [places, number(0)]);
  const rowsOf = (x: Value, width: number, name: string): Value => {
    const index = raising.one('Unsqueeze', [kept, raising.int64s([2])]);
    const whole = raising.one('Expand', [index, raising.int64s([sets, most, width])]);
    const flags = raising.cast(
      raising.one('Unsqueeze', [isKept, raising.int64s([2])]),
      onnxDType(call.type(name).dtype),
    );
    const rows = raising.one('Mul', [raising.one('GatherElements', [x, whole], { axis: 1 }), flags]);
    return isOld ? rows : turned(rows);
  };
  const results = [
    rowsOf(boxes, 4, 'boxes'),
    rowsOf(isOld ? call.x('scores') : turned(scores), 1, 'scores'),
    raising.cast(places, 'int32'),
  ];
  return isOld ? [...results, raising.cast(counts, 'int32')] : results;
}

export const DETECTION: Readonly<Record<string, Raise>> = { non_maximum_suppression: nonMaximumSuppression };
