/** MIL operations that slide a window over a picture, or resize it. Source: coremltools, converters/mil/mil/ops/defs. */
import { tensorFromNumbers } from '../../../graph/tensor-values.ts';
import type { Value } from '../../../graph/value.ts';
import { HoneError } from '../../../protocol/errors.ts';
import type { Call, Raise } from './raising.ts';

/** MIL's [begin, end] of each dimension as ONNX's begins and ends. */
function pads(call: Call, rank: number): number[] {
  const type = call.text('pad_type', 'valid');
  if (type === 'valid') return Array<number>(rank * 2).fill(0);
  if (type !== 'custom') throw new HoneError('format-unsupported', `The padding ${type} is not read.`);
  const pairs = call.numbers('pad');
  return [...pairs.filter((_, index) => index % 2 === 0), ...pairs.filter((_, index) => index % 2 === 1)];
}

export const ones = (count: number): number[] => Array<number>(count).fill(1);

function conv(call: Call): Value {
  const rank = call.rank('x') - 2;
  return call.raising.one('Conv', [call.x(), call.x('weight'), call.optional('bias')], {
    strides: call.numbers('strides', ones(rank)),
    pads: pads(call, rank),
    dilations: call.numbers('dilations', ones(rank)),
    group: call.number('groups', 1),
  });
}

function convTranspose(call: Call): Value {
  const rank = call.rank('x') - 2;
  const strides = call.numbers('strides', ones(rank));
  const dilations = call.numbers('dilations', ones(rank));
  const padding = pads(call, rank);
  const shape = call.numbers('output_shape').slice(2);
  const kernel = call.type('weight').shape.slice(2);
  const input = call.type('x').shape.slice(2);
  // What is missing to the shape that is asked for is added at the end.
  const extra = shape.map((size, axis) => {
    const natural =
      ((input[axis] ?? 1) - 1) * (strides[axis] ?? 1) + ((kernel[axis] ?? 1) - 1) * (dilations[axis] ?? 1) + 1;
    return size - (natural - (padding[axis] ?? 0) - (padding[axis + rank] ?? 0));
  });
  const ends = padding.map((pad, index) => (index >= rank ? pad - Math.min(0, extra[index - rank] ?? 0) : pad));
  const group = call.number('groups', 1);
  const made = call.raising.one('ConvTranspose', [call.x(), call.x('weight'), call.optional('bias')], {
    strides,
    dilations,
    group,
    pads: ends,
  });
  const added = extra.map((size) => Math.max(0, size));
  if (added.every((size) => size === 0)) return made;
  return call.raising.one('ConvTranspose', [call.x(), call.x('weight'), call.optional('bias')], {
    strides,
    dilations,
    group,
    pads: ends,
    output_padding: added,
  });
}

const pool =
  (opType: string): Raise =>
  (call) => {
    const kernel = call.numbers('kernel_sizes');
    return call.raising.one(opType, [call.x()], {
      kernel_shape: kernel,
      strides: call.numbers('strides', ones(kernel.length)),
      pads: pads(call, kernel.length),
      ceil_mode: call.flag('ceil_mode') ? 1 : 0,
      ...(opType === 'AveragePool' ? { count_include_pad: call.flag('exclude_padding_from_average') ? 0 : 1 } : {}),
    });
  };

function resizeBilinear(call: Call): Value {
  const modes: Readonly<Record<string, string>> = {
    STRICT_ALIGN_CORNERS: 'align_corners',
    ALIGN_CORNERS: 'align_corners',
    UNALIGN_CORNERS: 'half_pixel',
  };
  const mode = modes[call.text('sampling_mode', 'DEFAULT')];
  if (mode === undefined) throw new HoneError('format-unsupported', 'This sampling of resize_bilinear is not read.');
  const [batch, channels] = call.type('x').shape;
  const size = call.raising.int64s([
    batch ?? 1,
    channels ?? 1,
    call.number('target_size_height'),
    call.number('target_size_width'),
  ]);
  return call.raising.one('Resize', [call.x(), null, null, size], {
    mode: 'linear',
    coordinate_transformation_mode: mode,
  });
}

function upsampleNearest(call: Call): Value {
  const scales = [1, 1, call.number('scale_factor_height', 1), call.number('scale_factor_width', 1)];
  const factors = call.raising.graph.addInitializer(call.raising.graph.uniqueName('scales'), floats(scales));
  return call.raising.one('Resize', [call.x(), null, factors], {
    mode: 'nearest',
    coordinate_transformation_mode: 'asymmetric',
    nearest_mode: 'floor',
  });
}

const floats = (values: readonly number[]) => tensorFromNumbers('float32', values, [values.length]);

export const WINDOWS: Readonly<Record<string, Raise>> = {
  avg_pool: pool('AveragePool'),
  conv,
  conv_transpose: convTranspose,
  max_pool: pool('MaxPool'),
  resize_bilinear: resizeBilinear,
  upsample_nearest_neighbor: upsampleNearest,
};
