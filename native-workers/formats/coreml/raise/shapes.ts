/** MIL operations that move elements and change shapes. Source: coremltools, ops/defs/iOS15/tensor_operation.py and tensor_transformation.py. */
import type { Value } from '../../../graph/value.ts';
import { type Call, like, type Raise, same } from './raising.ts';
import { ones } from './windows.ts';

/** begin, end and stride of each dimension, with masks that stand for the whole of it. */
function sliceByIndex(call: Call): Value {
  const { raising } = call;
  const rank = call.rank('x');
  const none = Array<number>(rank).fill(0);
  const strides = call.numbers('stride', ones(rank));
  const bounds = (name: string): Value => {
    const mask = call.numbers(`${name}_mask`, none);
    const whole = strides.map((step) =>
      (name === 'begin') === step > 0 ? (step > 0 ? 0 : 2 ** 31 - 1) : step > 0 ? 2 ** 31 - 1 : -(2 ** 31),
    );
    const constant = call.constant(name);
    if (constant !== null) {
      return raising.int64s(call.numbers(name).map((value, axis) => (mask[axis] ? (whole[axis] ?? 0) : value)));
    }
    const computed = raising.cast(call.x(name), 'int64');
    const masked = raising.one('Cast', [raising.int64s(mask)], { to: 9 });
    return raising.one('Where', [masked, raising.int64s(whole), computed]);
  };
  const axes = raising.int64s(strides.map((_, axis) => axis));
  const result = raising.one('Slice', [call.x(), bounds('begin'), bounds('end'), axes, raising.int64s(strides)]);
  const squeezed = call.numbers('squeeze_mask', none).flatMap((flag, axis) => (flag ? [axis] : []));
  return squeezed.length === 0 ? result : raising.one('Squeeze', [result, raising.int64s(squeezed)]);
}

function pad(call: Call): Value {
  const mode = call.text('mode', 'constant');
  const pairs = call.numbers('pad');
  // The pairs are those of the last dimensions.
  const rank = call.rank('x');
  const all = [...Array<number>(rank * 2 - pairs.length).fill(0), ...pairs];
  const amounts = [...all.filter((_, index) => index % 2 === 0), ...all.filter((_, index) => index % 2 === 1)];
  const names: Readonly<Record<string, string>> = { constant: 'constant', reflect: 'reflect', replicate: 'edge' };
  return call.raising.one('Pad', [call.x(), call.raising.int64s(amounts), like(call, call.number('constant_val', 0))], {
    mode: names[mode] ?? mode,
  });
}

export const SHAPES: Readonly<Record<string, Raise>> = {
  concat: (call) => call.raising.one('Concat', call.all('values'), { axis: call.number('axis') }),
  depth_to_space: (call) =>
    call.raising.one('DepthToSpace', [call.x()], { blocksize: call.number('block_size'), mode: 'DCR' }),
  expand_dims: (call) => call.raising.one('Unsqueeze', [call.x(), call.raising.int64s(call.numbers('axes'))]),
  fill: (call) => call.raising.one('Expand', [call.x('value'), call.shape('shape')]),
  pad,
  pixel_shuffle: (call) =>
    call.raising.one('DepthToSpace', [call.x()], { blocksize: call.number('upscale_factor'), mode: 'CRD' }),
  range_1d: same('Range', 'start', 'end', 'step'),
  reshape: (call) => call.raising.one('Reshape', [call.x(), call.shape('shape')]),
  shape: (call) => call.raising.cast(call.raising.one('Shape', [call.x()]), 'int32'),
  slice_by_index: sliceByIndex,
  space_to_depth: (call) => call.raising.one('SpaceToDepth', [call.x()], { blocksize: call.number('block_size') }),
  split: (call) => {
    const parts = call.numbers('split_sizes');
    return call.raising.node(
      'Split',
      [call.x(), call.raising.int64s(parts)],
      { axis: call.number('axis') },
      parts.length,
    );
  },
  squeeze: (call) => call.raising.one('Squeeze', [call.x(), call.raising.int64s(call.numbers('axes'))]),
  tile: (call) => call.raising.one('Tile', [call.x(), call.shape('reps')]),
  transpose: (call) => call.raising.one('Transpose', [call.x()], { perm: call.numbers('perm') }),
};
