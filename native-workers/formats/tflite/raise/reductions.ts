/** What is computed along axes: reductions, places of extremes, running sums, norms. */
import { intAttribute } from '../../../graph/attribute.ts';
import { DTYPES } from '../../../graph/dtype.ts';
import { codesOf } from './codes.ts';
import { axisIn, inLayout, input, Options, output, type Raise, rankOf, sharedLayout } from './operator.ts';
import { meanCodes } from './rounding.ts';

const REDUCED: Readonly<Record<string, string>> = {
  MEAN: 'ReduceMean',
  SUM: 'ReduceSum',
  REDUCE_MAX: 'ReduceMax',
  REDUCE_MIN: 'ReduceMin',
  REDUCE_PROD: 'ReduceProd',
};

const reduce: Raise = (operator, builder) => {
  const data = input(operator, 0, builder);
  const rank = rankOf(data, builder);
  const { quantization } = builder.tensor(data);
  const keep = new Options(operator, 'ReducerOptions').bool('keep_dims');
  const axes = builder.numbers(input(operator, 1, builder)).map((axis) => (axis < 0 ? axis + rank : axis));
  // Without its sizes of 1, what is left must stand in the file's order: so only whole pictures are reduced as NCHW.
  const wholePictures = rank === 4 && axes.length === 2 && axes.includes(1) && axes.includes(2);
  const layout = keep || wholePictures ? sharedLayout([data], builder) : 'file';
  const moved = axes.map((axis) => axisIn(axis, rank, layout));
  if (operator.type === 'MEAN' && wholePictures && quantization !== null) {
    // ONNX Runtime adds the codes of a global pool as integers, as LiteRT does; it has no kernel of integers for ReduceMean.
    const as = meanCodes(codesOf(builder.tensor(data)), codesOf(builder.tensor(output(operator, builder))));
    const mean = builder.op('GlobalAveragePool', [builder.value(data, 'nchw', as.input)]);
    const y = keep ? mean : builder.op('Reshape', [mean, builder.int64s([0, -1])]);
    builder.define(output(operator, builder), y, keep ? 'nchw' : 'file', as.output);
    return;
  }
  const opType = REDUCED[operator.type] ?? 'ReduceMean';
  const y = builder.op(opType, [inLayout(data, layout, builder), builder.int64s(moved)], {
    keepdims: intAttribute(keep ? 1 : 0),
  });
  builder.define(output(operator, builder), y, keep ? layout : 'file');
};

const argument: Raise = (operator, builder) => {
  const [axis = 0] = builder.numbers(input(operator, 1, builder));
  const target = builder.tensor(output(operator, builder));
  const opType = operator.type === 'ARG_MAX' ? 'ArgMax' : 'ArgMin';
  const found = builder.op(opType, [builder.value(input(operator, 0, builder))], {
    axis: intAttribute(axis),
    keepdims: intAttribute(0),
  });
  builder.define(
    output(operator, builder),
    builder.op('Cast', [found], { to: intAttribute(DTYPES[target.dtype].code) }),
  );
};

const topK: Raise = (operator, builder) => {
  const [count = 1] = builder.numbers(input(operator, 1, builder));
  const [values, indexes] = builder.ops(
    'TopK',
    [builder.value(input(operator, 0, builder)), builder.int64s([count])],
    2,
    { axis: intAttribute(-1) },
  );
  if (values !== undefined) builder.define(output(operator, builder), values);
  if (indexes !== undefined)
    builder.define(
      output(operator, builder, 1),
      builder.op('Cast', [indexes], { to: intAttribute(DTYPES.int32.code) }),
    );
};

const l2Normalization: Raise = (operator, builder) => {
  const x = builder.value(input(operator, 0, builder));
  builder.define(
    output(operator, builder),
    builder.op('LpNormalization', [x], { axis: intAttribute(-1), p: intAttribute(2) }),
  );
};

const cumulativeSum: Raise = (operator, builder) => {
  const options = new Options(operator, 'CumsumOptions');
  const inputs = [builder.value(input(operator, 0, builder)), builder.value(input(operator, 1, builder))];
  const flags = {
    exclusive: intAttribute(options.bool('exclusive') ? 1 : 0),
    reverse: intAttribute(options.bool('reverse') ? 1 : 0),
  };
  builder.define(output(operator, builder), builder.op('CumSum', inputs, flags));
};

export const REDUCTIONS: Readonly<Record<string, Raise>> = {
  MEAN: reduce,
  SUM: reduce,
  REDUCE_MAX: reduce,
  REDUCE_MIN: reduce,
  REDUCE_PROD: reduce,
  ARG_MAX: argument,
  ARG_MIN: argument,
  TOPK_V2: topK,
  L2_NORMALIZATION: l2Normalization,
  CUMSUM: cumulativeSum,
};
