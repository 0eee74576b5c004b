/** Pools: over a window that slides, and over all of the picture. */
import { intAttribute } from '../../../graph/attribute.ts';
import { keepPadding } from '../../pool-padding.ts';
import { onlyInput, type Raise } from './layer.ts';
import { channelsOf, padding, slid, spatial, type Window, windowAttributes, withSizes } from './window.ts';

const pool =
  (opType: 'MaxPool' | 'AveragePool', rank: number): Raise =>
  (layer, inputs, builder) => {
    const input = onlyInput(inputs, builder);
    if (input.shape.length !== rank + 2) throw builder.corrupt(`takes tensors of ${rank + 2} dimensions.`);
    const { layout } = layer;
    const kernel = layer.sizes('pool_size', rank, 2);
    const window: Window = {
      kernel,
      strides: layer.option('strides') == null ? kernel : layer.sizes('strides', rank, 2),
      dilations: new Array<number>(rank).fill(1),
      padding: layer.text('padding', 'valid'),
    };
    const sizes = spatial(input.shape, layout);
    const x = builder.value(input, layout);
    keepPadding(x, () => builder.float(-0));
    // Padding is left out of the average in TensorFlow and, unless it is told to count it, in ONNX.
    const value = builder.op(opType, [x], {
      ...windowAttributes(window),
      ...padding(sizes, window, builder),
    });
    const shape = withSizes(input.shape, layout, slid(sizes, window), channelsOf(input.shape, layout));
    return builder.result(value, shape, layout);
  };

const global =
  (opType: 'GlobalMaxPool' | 'GlobalAveragePool', rank: number): Raise =>
  (layer, inputs, builder) => {
    const input = onlyInput(inputs, builder);
    if (input.shape.length !== rank + 2) throw builder.corrupt(`takes tensors of ${rank + 2} dimensions.`);
    const { layout } = layer;
    const channels = channelsOf(input.shape, layout);
    const keep = layer.flag('keepdims', false);
    const shape = keep
      ? withSizes(input.shape, layout, new Array<number>(rank).fill(1), channels)
      : [input.shape[0] ?? null, channels];
    if (builder.has(input, layout)) {
      const pooled = builder.op(opType, [builder.value(input, layout)]);
      if (keep) return builder.result(pooled, shape, layout);
      return builder.result(builder.op('Flatten', [pooled], { axis: intAttribute(1) }), shape);
    }
    // Nothing has moved the channels to where ONNX's pool wants them: a reduction takes them where they are.
    const reduction = opType === 'GlobalMaxPool' ? 'ReduceMax' : 'ReduceMean';
    const axes = Array.from({ length: rank }, (_, axis) => axis + 1);
    const value = builder.op(reduction, [builder.value(input, 'keras'), builder.int64s(axes)], {
      keepdims: intAttribute(keep ? 1 : 0),
    });
    return builder.result(value, shape);
  };

const POOLS = { Max: 'MaxPool', Average: 'AveragePool' } as const;
const GLOBAL_POOLS = { Max: 'GlobalMaxPool', Average: 'GlobalAveragePool' } as const;

export const POOLINGS: Readonly<Record<string, Raise>> = Object.fromEntries(
  ([1, 2, 3] as const).flatMap((rank) =>
    (['Max', 'Average'] as const).flatMap((kind): [string, Raise][] => [
      [`${kind}Pooling${rank}D`, pool(POOLS[kind], rank)],
      [`Global${kind}Pooling${rank}D`, global(GLOBAL_POOLS[kind], rank)],
    ]),
  ),
);
