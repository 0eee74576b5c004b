/** MIL operations that search, pick and turn around elements. */
import { tensorFromNumbers } from '../../../graph/tensor-values.ts';
import type { Value } from '../../../graph/value.ts';
import { HoneError } from '../../../protocol/errors.ts';
import { type Call, onnxDType, type Raise } from './raising.ts';

function reverse(call: Call): Value {
  const axes = call.numbers(
    'axes',
    Array.from({ length: call.rank('x') }, (_, axis) => axis),
  );
  const all = (value: number): Value => call.raising.int64s(axes.map(() => value));
  return call.raising.one('Slice', [call.x(), all(-1), all(-(2 ** 31)), call.raising.int64s(axes), all(-1)]);
}

function oneHot(call: Call): Value {
  const { raising } = call;
  // ONNX Runtime has few combinations of types here; the values are small.
  const [off, on] = [call.number('off_value', 0), call.number('on_value', 1)];
  const values = raising.tensor(tensorFromNumbers('float32', [off, on], [2]));
  const depth = raising.scalar('int64', call.number('one_hot_vector_size'));
  const indices = raising.cast(call.x('indices'), 'int64');
  const made = raising.one('OneHot', [indices, depth, values], { axis: call.number('axis', -1) });
  return raising.cast(made, onnxDType(call.output().dtype));
}

/** MIL lists the places by row, ONNX by column. */
function nonZero(call: Call): Value {
  const { raising } = call;
  const rows = raising.one('Transpose', [raising.one('NonZero', [call.x()])], { perm: [1, 0] });
  return raising.cast(rows, 'int32');
}

function reverseSequence(call: Call): Value {
  return call.raising.one('ReverseSequence', [call.x(), call.raising.cast(call.x('lengths'), 'int64')], {
    batch_axis: call.number('batch_axis', 0),
    time_axis: call.number('seq_axis', 0),
  });
}

/** Coordinates from -1 to 1, in the order width, height. */
function resample(call: Call): Value {
  const align = call.flag('align_corners');
  const paddings: Readonly<Record<string, string>> = {
    constant: 'zeros',
    border: 'border',
    [align ? 'reflection' : 'symmetric']: 'reflection',
  };
  const padding = paddings[call.text('padding_mode', '')];
  const isKnown =
    padding !== undefined &&
    call.text('coordinates_mode', '') === 'normalized_minus_one_to_one' &&
    call.number('padding_value', 0) === 0;
  if (!isKnown) throw new HoneError('format-unsupported', 'This kind of resample is not read.');
  return call.raising.one('GridSample', [call.x(), call.x('coordinates')], {
    mode: call.text('sampling_mode', 'bilinear') === 'nearest' ? 'nearest' : 'linear',
    padding_mode: padding,
    align_corners: align ? 1 : 0,
  });
}

/** All places, in the order of their elements. */
function argsort(call: Call): Value {
  const { raising } = call;
  const axis = call.number('axis', -1);
  const size = raising.one('Gather', [raising.one('Shape', [call.x()]), raising.int64s([axis])]);
  const [, places] = raising.node(
    'TopK',
    [call.x(), size],
    { axis, largest: call.flag('ascending') ? 0 : 1, sorted: 1 },
    2,
  ) as [Value, Value];
  return raising.cast(places, 'int32');
}

function topk(call: Call): Value[] {
  const [values, indices] = call.raising.node(
    'TopK',
    [call.x(), call.raising.int64s([call.number('k', 1)])],
    { axis: call.number('axis', -1), largest: call.flag('ascending') ? 0 : 1, sorted: 1 },
    2,
  );
  return [values as Value, call.raising.cast(indices as Value, 'int32')];
}

const scatter =
  (opType: string): Raise =>
  (call) => {
    const modes: Readonly<Record<string, string>> = { update: 'none', add: 'add', mul: 'mul', max: 'max', min: 'min' };
    const indices = opType === 'ScatterND' ? call.raising.cast(call.x('indices'), 'int64') : call.x('indices');
    return call.raising.one(opType, [call.x('data'), indices, call.x('updates')], {
      reduction: modes[call.text('mode', 'add')] ?? 'none',
      ...(opType === 'ScatterND' ? {} : { axis: call.number('axis', 0) }),
    });
  };

export const INDEXING: Readonly<Record<string, Raise>> = {
  cumsum: (call) =>
    call.raising.one('CumSum', [call.x(), call.raising.scalar('int64', call.number('axis', 0))], {
      exclusive: call.flag('exclusive') ? 1 : 0,
      reverse: call.flag('reverse') ? 1 : 0,
    }),
  gather: (call) => call.raising.one('Gather', [call.x(), call.x('indices')], { axis: call.number('axis', 0) }),
  gather_along_axis: (call) =>
    call.raising.one('GatherElements', [call.x(), call.x('indices')], { axis: call.number('axis', 0) }),
  gather_nd: (call) =>
    call.raising.one('GatherND', [call.x(), call.raising.cast(call.x('indices'), 'int64')], {
      batch_dims: call.number('batch_dims', 0),
    }),
  scatter_along_axis: scatter('ScatterElements'),
  scatter_nd: scatter('ScatterND'),
  topk,
  argsort,
  reverse,
  one_hot: oneHot,
  non_zero: nonZero,
  reverse_sequence: reverseSequence,
  resample,
};
