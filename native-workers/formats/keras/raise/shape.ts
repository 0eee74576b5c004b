/** Layers that move, cut, repeat or pad, and those that do nothing when a model is used. */
import { intAttribute, intsAttribute, stringAttribute } from '../../../graph/attribute.ts';
import type { Value } from '../../../graph/value.ts';
import { isList } from '../json.ts';
import { axisIn, type GraphBuilder, type KerasTensor, type Layout, type Size, toFirst } from './builder.ts';
import { type Layer, onlyInput, type Raise } from './layer.ts';
import { channelsOf, spatial, withSizes } from './window.ts';

const same: Raise = (_layer, inputs, builder) => onlyInput(inputs, builder);

const productOf = (sizes: readonly Size[]): Size =>
  sizes.reduce<Size>((product, size) => (product === null || size === null ? null : product * size), 1);

const flatten: Raise = (layer, inputs, builder) => {
  const input = onlyInput(inputs, builder);
  const [batch = null, ...rest] = input.shape;
  if (rest.length === 1) return input;
  const count = productOf(rest);
  const isChannelsFirst = layer.layout === 'keras' && rest.length > 1;
  // With channels first, Keras brings them to the end before it flattens.
  const source = isChannelsFirst
    ? builder.op('Transpose', [builder.value(input, 'keras')], { perm: intsAttribute(channelsToEnd(rest.length + 1)) })
    : inOrder(input, builder);
  const value =
    count === null
      ? builder.op('Flatten', [source], { axis: intAttribute(1) })
      : builder.reshape(source, [batch, count]);
  return builder.result(value, [batch, count ?? (rest.length === 0 ? 1 : null)], 'keras', input.dtype);
};

/** A value with the elements in the order of Keras: where only one size is more than 1, the order is the same in both layouts. */
function inOrder(input: KerasTensor, builder: GraphBuilder): Value {
  return builder.value(input, isLine(input.shape.slice(1)) ? standing(input, builder) : 'keras');
}

const isLine = (sizes: readonly Size[]): boolean => sizes.filter((size) => size !== 1).length <= 1;

const channelsToEnd = (rank: number): number[] => [0, ...Array.from({ length: rank - 2 }, (_, axis) => axis + 2), 1];

const reshape: Raise = (layer, inputs, builder) => {
  const input = onlyInput(inputs, builder);
  const target = layer.list('target_shape');
  if (target === null) throw builder.corrupt('has no target_shape.');
  const [batch = null, ...rest] = input.shape;
  const known = target.filter((size) => size >= 0).reduce((product, size) => product * size, 1);
  const all = productOf(rest);
  const missing = all === null || known === 0 ? null : all / known;
  if (missing !== null && !Number.isInteger(missing)) throw builder.corrupt('reshapes to another number of elements.');
  const sizes = target.map((size): Size => (size >= 0 ? size : missing));
  // A picture of one pixel is made with channels first at once, as the convolution that it is made for wants it.
  const layout: Layout = sizes.length > 2 && sizes.slice(0, -1).every((size) => size === 1) ? 'first' : 'keras';
  const shape: Size[] = [batch, ...sizes];
  const placed = layout === 'first' ? toFirst(shape.length).map((axis) => shape[axis] ?? null) : shape;
  // With a free batch and a free size, only the batch can be copied from where it stands.
  const batchSize = sizes.includes(null) ? 0 : (batch ?? -1);
  const wanted = [batchSize, ...placed.slice(1).map((size) => size ?? -1)];
  const value = builder.op('Reshape', [inOrder(input, builder), builder.int64s(wanted)]);
  return builder.result(value, shape, layout, input.dtype);
};

const permute: Raise = (layer, inputs, builder) => {
  const input = onlyInput(inputs, builder);
  const dims = layer.list('dims') ?? [];
  const perm = [0, ...dims];
  if ([...perm].sort((a, b) => a - b).join() !== [...input.shape.keys()].join())
    throw builder.corrupt('permutes axes that its input does not have.');
  const value = builder.op('Transpose', [builder.value(input, 'keras')], { perm: intsAttribute(perm) });
  const shape = perm.map((axis) => input.shape[axis] ?? null);
  return builder.result(value, shape, 'keras', input.dtype);
};

const repeat: Raise = (layer, inputs, builder) => {
  const input = onlyInput(inputs, builder);
  const count = layer.required('n');
  const line = builder.op('Unsqueeze', [builder.value(input, 'keras'), builder.int64s([1])]);
  const value = builder.op('Tile', [line, builder.int64s([1, count, 1])]);
  return builder.result(value, [input.shape[0] ?? null, count, input.shape[1] ?? null], 'keras', input.dtype);
};

/** What is put before and after, or cut there, by spatial dimension: one number, one each, or a pair each. */
function margins(layer: Layer, name: string, rank: number, fallback: number): { begin: number[]; end: number[] } {
  const given = layer.option(name);
  const list = isList(given) ? given : new Array<number>(rank).fill(typeof given === 'number' ? given : fallback);
  // One dimension has its pair without a list around it.
  const pairs = rank === 1 && isList(given) && given.length === 2 ? [given] : list;
  const sides = [0, 1].map((side) =>
    pairs.map((item) => {
      const value = isList(item) ? item[side] : item;
      if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
        throw layer.builder.corrupt(`has a ${name} that is no number of elements.`);
      return value;
    }),
  );
  if (pairs.length !== rank) throw layer.builder.corrupt(`has a ${name} for other than ${rank} dimensions.`);
  return { begin: sides[0] ?? [], end: sides[1] ?? [] };
}

/** The layout to work in: where the input stands already, else as the layer has its channels. */
function standing(input: KerasTensor, builder: GraphBuilder): Layout {
  return builder.has(input, 'first') ? 'first' : 'keras';
}

/** Where the spatial axes stand: in the tensor of Keras, by the layer's data format, and in the layout of the value. */
function spatialAxes(layer: Layer, rank: number, layout: Layout): number[] {
  const first = layer.layout === 'first' ? 1 : 2;
  return Array.from({ length: rank }, (_, axis) => axisIn(first + axis, rank + 2, layout));
}

const zeroPadding =
  (rank: number): Raise =>
  (layer, inputs, builder) => {
    const input = onlyInput(inputs, builder);
    if (input.shape.length !== rank + 2) throw builder.corrupt(`takes tensors of ${rank + 2} dimensions.`);
    const { begin, end } = margins(layer, 'padding', rank, 1);
    const layout = standing(input, builder);
    const pads = new Array<number>((rank + 2) * 2).fill(0);
    spatialAxes(layer, rank, layout).forEach((axis, index) => {
      pads[axis] = begin[index] ?? 0;
      pads[axis + rank + 2] = end[index] ?? 0;
    });
    const value = builder.op('Pad', [builder.value(input, layout), builder.int64s(pads)]);
    const sizes = spatial(input.shape, layer.layout).map((size, axis) =>
      size === null ? null : size + (begin[axis] ?? 0) + (end[axis] ?? 0),
    );
    const shape = withSizes(input.shape, layer.layout, sizes, channelsOf(input.shape, layer.layout));
    return builder.result(value, shape, layout, input.dtype);
  };

const cropping =
  (rank: number): Raise =>
  (layer, inputs, builder) => {
    const input = onlyInput(inputs, builder);
    if (input.shape.length !== rank + 2) throw builder.corrupt(`takes tensors of ${rank + 2} dimensions.`);
    const { begin, end } = margins(layer, 'cropping', rank, 1);
    const layout = standing(input, builder);
    const axes = spatialAxes(layer, rank, layout);
    const value = builder.op('Slice', [
      builder.value(input, layout),
      builder.int64s(begin),
      builder.int64s(end.map((cut) => (cut === 0 ? Number.MAX_SAFE_INTEGER : -cut))),
      builder.int64s(axes),
    ]);
    const sizes = spatial(input.shape, layer.layout).map((size, axis) =>
      size === null ? null : Math.max(0, size - (begin[axis] ?? 0) - (end[axis] ?? 0)),
    );
    const shape = withSizes(input.shape, layer.layout, sizes, channelsOf(input.shape, layer.layout));
    return builder.result(value, shape, layout, input.dtype);
  };

/** Every element repeated, or a picture between them (half-pixel centres, as TensorFlow 2 resizes). */
const upSampling =
  (rank: number): Raise =>
  (layer, inputs, builder) => {
    const input = onlyInput(inputs, builder);
    if (input.shape.length !== rank + 2) throw builder.corrupt(`takes tensors of ${rank + 2} dimensions.`);
    const factors = layer.sizes('size', rank, 2);
    const mode = rank === 2 ? layer.text('interpolation', 'nearest') : 'nearest';
    if (mode !== 'nearest' && mode !== 'bilinear') throw builder.unsupported(`interpolates ${mode}.`);
    const { layout } = layer;
    const value = builder.op(
      'Resize',
      [builder.value(input, layout), null, builder.floats([1, 1, ...factors])],
      resizing(mode),
    );
    const sizes = spatial(input.shape, layout).map((size, axis) =>
      size === null ? null : size * (factors[axis] ?? 1),
    );
    const shape = withSizes(input.shape, layout, sizes, channelsOf(input.shape, layout));
    return builder.result(value, shape, layout);
  };

/** To a size: nearest takes the pixel whose centre is nearest, as `tf.image.resize` does since TensorFlow 2. */
const resizingLayer: Raise = (layer, inputs, builder) => {
  const input = onlyInput(inputs, builder);
  const { layout } = layer;
  if (input.shape.length !== 4) throw builder.corrupt('takes tensors of 4 dimensions.');
  const mode = layer.text('interpolation', 'bilinear');
  if (mode !== 'nearest' && mode !== 'bilinear') throw builder.unsupported(`interpolates ${mode}.`);
  for (const name of ['crop_to_aspect_ratio', 'pad_to_aspect_ratio', 'antialias']) {
    if (layer.flag(name, false)) throw builder.unsupported(`resizes with ${name}.`);
  }
  const sizes = [layer.required('height'), layer.required('width')];
  const attributes =
    mode === 'bilinear'
      ? resizing(mode)
      : {
          mode: stringAttribute('nearest'),
          coordinate_transformation_mode: stringAttribute('half_pixel'),
          nearest_mode: stringAttribute('round_prefer_ceil'),
        };
  const x = builder.value(input, layout);
  const given = spatial(input.shape, layout);
  const channels = channelsOf(input.shape, layout);
  // Factors leave the batch free. The attribute axes would do so too, but ONNX Runtime 1.30 loses the sizes behind a transpose.
  const operands = given.includes(null)
    ? [null, null, fullSizes(x, [channels, ...sizes], builder)]
    : [null, builder.floats([1, 1, ...sizes.map((size, axis) => factor(given[axis] ?? 1, size))])];
  const value = builder.op('Resize', [x, ...operands], attributes);
  return builder.result(value, withSizes(input.shape, layout, sizes, channels), layout);
};

/** The sizes after the batch, which is taken from `x`. */
function fullSizes(x: Value, sizes: readonly Size[], builder: GraphBuilder): Value {
  if (sizes.includes(null)) throw builder.unsupported('resizes pictures with a free number of channels.');
  const batch = builder.op('Shape', [x], { start: intAttribute(0), end: intAttribute(1) });
  const rest = builder.int64s(sizes.map((size) => size ?? 1));
  return builder.op('Concat', [batch, rest], { axis: intAttribute(0) });
}

/** The factor from one size to another, as a float32 with which ONNX (which rounds down) comes to that size. */
function factor(from: number, to: number): number {
  const nearest = Math.fround(to / from);
  return Math.floor(Math.fround(nearest * from)) === to ? nearest : Math.fround(nearest * (1 + 2 ** -23));
}

function resizing(mode: 'nearest' | 'bilinear') {
  return mode === 'nearest'
    ? {
        mode: stringAttribute('nearest'),
        coordinate_transformation_mode: stringAttribute('asymmetric'),
        nearest_mode: stringAttribute('floor'),
      }
    : { mode: stringAttribute('linear'), coordinate_transformation_mode: stringAttribute('half_pixel') };
}

/** Layers that only work while a model is trained. */
const TRAINING = [
  'ActivityRegularization',
  'AlphaDropout',
  'Dropout',
  'GaussianDropout',
  'GaussianNoise',
  'RandomBrightness',
  'RandomContrast',
  'RandomFlip',
  'RandomRotation',
  'RandomTranslation',
  'RandomZoom',
  'SpatialDropout1D',
  'SpatialDropout2D',
  'SpatialDropout3D',
  'StochasticDepth',
];

export const SHAPES: Readonly<Record<string, Raise>> = {
  ...Object.fromEntries(TRAINING.map((type) => [type, same])),
  Identity: same,
  Flatten: flatten,
  Reshape: reshape,
  Permute: permute,
  RepeatVector: repeat,
  ZeroPadding1D: zeroPadding(1),
  ZeroPadding2D: zeroPadding(2),
  ZeroPadding3D: zeroPadding(3),
  Cropping1D: cropping(1),
  Cropping2D: cropping(2),
  Cropping3D: cropping(3),
  Resizing: resizingLayer,
  UpSampling1D: upSampling(1),
  UpSampling2D: upSampling(2),
  UpSampling3D: upSampling(3),
};
