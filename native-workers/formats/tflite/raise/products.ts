/** Matrix products. */
import { intAttribute } from '../../../graph/attribute.ts';
import { activate, input, Options, output, type Raise, rankOf } from './operator.ts';

const fullyConnected: Raise = (operator, builder) => {
  const options = new Options(operator, 'FullyConnectedOptions');
  const [data, weight] = [input(operator, 0, builder), input(operator, 1, builder)];
  const source = builder.tensor(data);
  const filter = builder.tensor(weight);
  const [outputs = 1, inputs = 1] = filter.shape;
  if (options.byte('weights_format') !== 0)
    throw builder.unsupported(operator, 'its weights are shuffled for one kernel.');
  const rank = source.shape.length;
  const flat =
    rank === 2 && source.shape[1] === inputs
      ? builder.value(data)
      : builder.op('Reshape', [builder.value(data), builder.int64s([-1, inputs])]);
  const bias = operator.inputs[2];
  const terms = [flat, builder.weights(weight, null)];
  if (bias !== undefined && bias >= 0)
    terms.push(builder.bias(bias, source.dtype === 'float32' ? null : source.quantization, filter.quantization));
  const product = builder.op('Gemm', terms, { transB: intAttribute(1) });
  const active = activate(product, options.byte('fused_activation_function'), operator, builder);
  const target = builder.tensor(output(operator, builder));
  const isFlat = target.shape.length === 2 && target.shape[1] === outputs;
  const dims = target.signature.map((dim, axis) => (dim < 0 ? -1 : (target.shape[axis] ?? 1)));
  builder.define(output(operator, builder), isFlat ? active : builder.op('Reshape', [active, builder.int64s(dims)]));
};

const batchMatMul: Raise = (operator, builder) => {
  const options = new Options(operator, 'BatchMatMulOptions');
  const operand = (position: number, adjoint: boolean) => {
    const index = input(operator, position, builder);
    const rank = rankOf(index, builder);
    const perm = Array.from({ length: rank }, (_, axis) => axis);
    if (!adjoint) return builder.value(index);
    [perm[rank - 2], perm[rank - 1]] = [rank - 1, rank - 2];
    return builder.transpose(builder.value(index), perm);
  };
  const y = builder.op('MatMul', [operand(0, options.bool('adj_x')), operand(1, options.bool('adj_y'))]);
  builder.define(output(operator, builder), y);
};

export const PRODUCTS: Readonly<Record<string, Raise>> = {
  FULLY_CONNECTED: fullyConnected,
  BATCH_MATMUL: batchMatMul,
};
