/** Normalization by statistics that the model holds, or of the input itself; and scaling. */
import { floatAttribute, intAttribute } from '../../../graph/attribute.ts';
import type { Tensor } from '../../../graph/tensor.ts';
import { tensorFromFloat32, toFloat32 } from '../../../graph/tensor-values.ts';
import { elementwise } from './activation.ts';
import { axisIn, type GraphBuilder, type KerasTensor } from './builder.ts';
import { type Layer, onlyInput, type Raise } from './layer.ts';

/** The one axis of a layer, counted from the front. Keras 2 writes a list of one. */
function oneAxis(layer: Layer, rank: number): number {
  const list = layer.list('axis') ?? [layer.number('axis', -1)];
  if (list.length !== 1) throw layer.builder.unsupported('normalizes over several axes at once.');
  return axisIn(list[0] ?? -1, rank, 'keras');
}

const batchNormalization: Raise = (layer, inputs, builder) => {
  const input = onlyInput(inputs, builder);
  const rank = input.shape.length;
  const axis = oneAxis(layer, rank);
  const isLast = axis === rank - 1;
  if (!isLast && axis !== 1)
    throw builder.unsupported(`normalizes over axis ${axis}, which is neither first nor last.`);
  const layout = isLast ? 'first' : 'keras';
  const [scaled, centered] = [layer.flag('scale', true), layer.flag('center', true)];
  const order = [...(scaled ? ['gamma'] : []), ...(centered ? ['beta'] : []), 'moving_mean', 'moving_variance'];
  const mean = layer.weight('moving_mean', order, 1);
  const constant = (value: number): Tensor => tensorFromFloat32(builder.filled(value, mean.size), mean.shape);
  const value = builder.op(
    'BatchNormalization',
    [
      builder.value(input, layout),
      builder.weight('gamma', scaled ? layer.weight('gamma', order, 1) : constant(1)),
      builder.weight('beta', centered ? layer.weight('beta', order, 1) : constant(0)),
      builder.weight('moving_mean', mean),
      builder.weight('moving_variance', layer.weight('moving_variance', order, 1)),
    ],
    { epsilon: floatAttribute(layer.number('epsilon', 1e-3)) },
  );
  return builder.result(value, input.shape, layout);
};

const layerNormalization: Raise = (layer, inputs, builder) => {
  const input = onlyInput(inputs, builder);
  const rank = input.shape.length;
  if (layer.flag('rms_scaling', false)) throw builder.unsupported('scales by the root mean square (rms_scaling).');
  const axes = (layer.list('axis') ?? [layer.number('axis', -1)]).map((axis) => axisIn(axis, rank, 'keras'));
  const first = Math.min(...axes);
  // ONNX normalizes over all axes from one on.
  if (new Set(axes).size !== rank - first)
    throw builder.unsupported('normalizes over axes that are not the last ones.');
  const [scaled, centered] = [layer.flag('scale', true), layer.flag('center', true)];
  const order = [...(scaled ? ['gamma'] : []), ...(centered ? ['beta'] : [])];
  const shape = input.shape.slice(first);
  const size = shape.reduce<number>((product, each) => product * (each ?? 1), 1);
  const gamma = scaled
    ? layer.weight('gamma', order, axes.length)
    : tensorFromFloat32(
        builder.filled(1, size),
        shape.map((each) => each ?? 1),
      );
  const values = [builder.value(input, 'keras'), builder.weight('gamma', gamma)];
  if (centered) values.push(builder.weight('beta', layer.weight('beta', order, axes.length)));
  const value = builder.op('LayerNormalization', values, {
    axis: intAttribute(first - rank),
    epsilon: floatAttribute(layer.number('epsilon', 1e-3)),
  });
  return builder.result(value, input.shape);
};

/** x * scale + offset, each a number or one for each channel. */
const rescaling: Raise = (layer, inputs, builder) => {
  const input = onlyInput(inputs, builder);
  const [scale, offset] = [layer.list('scale'), layer.list('offset')];
  const floating = asFloat(input, builder);
  if (scale === null && offset === null) {
    return elementwise(floating, builder, (x) => {
      const scaled = builder.op('Mul', [x, builder.float(layer.number('scale', 1))]);
      const added = layer.number('offset', 0);
      return added === 0 ? scaled : builder.op('Add', [scaled, builder.float(added)]);
    });
  }
  const factor = builder.floats(scale ?? [layer.number('scale', 1)]);
  const summand = builder.floats(offset ?? [layer.number('offset', 0)]);
  const value = builder.op('Add', [builder.op('Mul', [builder.value(floating, 'keras'), factor]), summand]);
  return builder.result(value, input.shape);
};

/** (x - mean) / max(sqrt(variance), epsilon), with statistics of the configuration or adapted ones of the file. */
const normalization: Raise = (layer, inputs, builder) => {
  const input = onlyInput(inputs, builder);
  const rank = input.shape.length;
  const given = layer.option('axis');
  const list = given === null ? [] : (layer.list('axis') ?? [layer.number('axis', -1)]);
  const axes = list.map((axis) => axisIn(axis, rank, 'keras'));
  const order = ['mean', 'variance', 'count'];
  const statistic = (name: string): Float32Array => {
    const numbers = flatNumbers(layer.option(name));
    return numbers ?? toFloat32(layer.weight(name, order));
  };
  const shape = input.shape.map((size, axis) => (axes.includes(axis) ? (size ?? 1) : 1));
  const count = shape.reduce((product, size) => product * size, 1);
  const spread = (values: Float32Array): Float32Array => {
    if (values.length !== count && values.length !== 1)
      throw builder.corrupt('has statistics of another size than its input.');
    return values.length === count ? values : builder.filled(values[0] ?? 0, count);
  };
  const mean = spread(statistic('mean'));
  // Keras guards the division by the epsilon of the backend, 1e-7.
  const deviation = spread(statistic('variance')).map((each) => Math.max(Math.sqrt(each), 1e-7));
  const x = builder.value(asFloat(input, builder), 'keras');
  const floats = (values: Float32Array) => builder.floats(values, axes.length === 0 ? [] : shape);
  const value = layer.flag('invert', false)
    ? builder.op('Add', [builder.op('Mul', [x, floats(deviation)]), floats(mean)])
    : builder.op('Div', [builder.op('Sub', [x, floats(mean)]), floats(deviation)]);
  return builder.result(value, input.shape);
};

/** Numbers in lists of any depth, in order; null for what is none. */
function flatNumbers(value: unknown): Float32Array | null {
  const flat = Array.isArray(value) ? value.flat(8) : [value];
  return flat.length > 0 && flat.every((item) => typeof item === 'number') ? Float32Array.from(flat) : null;
}

/** Preprocessing layers take integers too. */
function asFloat(input: KerasTensor, builder: GraphBuilder): KerasTensor {
  if (input.dtype === 'float32') return input;
  const value = builder.op('Cast', [builder.value(input, 'keras')], { to: intAttribute(1) });
  return { shape: input.shape, dtype: 'float32', forms: new Map([['keras', value]]) };
}

export const NORMALIZATIONS: Readonly<Record<string, Raise>> = {
  BatchNormalization: batchNormalization,
  LayerNormalization: layerNormalization,
  Rescaling: rescaling,
  Normalization: normalization,
};
