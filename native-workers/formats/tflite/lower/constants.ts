/** Values that are known when the file is written. */
import { byteLength, elementCount } from '../../../graph/dtype.ts';
import { lateTensor } from '../../../graph/late-tensor.ts';
import type { Node } from '../../../graph/node.ts';
import { scalarTensor, tensorFromNumbers, toNumbers } from '../../../graph/tensor-values.ts';
import type { Lowering } from './lowering.ts';
import type { Lower } from './registry.ts';
import { internalType, positive, Refusal } from './terms.ts';

export const CONSTANT_LOWERINGS: Readonly<Record<string, Lower>> = {
  Constant: constant,
  ConstantOfShape: constantOfShape,
  Shape: folded,
  Size: folded,
  Range: range,
  EyeLike: eyeLike,
};

function constant(node: Node, lowering: Lowering): void {
  const attribute = node.attributes.get('value');
  const single = node.attributes.get('value_float') ?? node.attributes.get('value_int');
  const list = node.attributes.get('value_floats') ?? node.attributes.get('value_ints');
  const output = lowering.output(node);
  if (attribute?.type === 'tensor') lowering.define(output, lowering.constantTensor(output.name, attribute.value));
  else if (single?.type === 'float' || single?.type === 'int')
    lowering.define(output, lowering.scalar(Number(single.value), single.type === 'float' ? 'float32' : 'int64'));
  else if (list?.type === 'floats' || list?.type === 'ints')
    lowering.define(
      output,
      lowering.constant(list.type === 'floats' ? 'float32' : 'int64', Array.from(list.value, Number), [
        list.value.length,
      ]),
    );
  else throw new Refusal('a constant of this kind');
}

/** What depends on constants alone was computed before; what is left depends on data. */
function folded(node: Node, lowering: Lowering): void {
  const output = lowering.output(node);
  if (node.opType === 'Shape' || node.opType === 'Size') {
    const shape = lowering.shape(lowering.input(node, 0));
    const start = positive(node.int('start', 0), shape.length);
    const end = positive(node.int('end', shape.length), shape.length);
    const values =
      node.opType === 'Size' ? [shape.reduce((all, dim) => all * dim, 1)] : shape.slice(Math.max(0, start), end);
    lowering.define(output, lowering.constant('int64', values, node.opType === 'Size' ? [] : [values.length]));
    return;
  }
}

/** Of constants; another size is only known when it runs. */
function range(node: Node, lowering: Lowering): void {
  const [start = 0, limit = 0, delta = 1] = [0, 1, 2].map(
    (index) => lowering.fixed(lowering.input(node, index), 'the size of a range')[0],
  );
  const count = Math.max(Math.ceil((limit - start) / delta), 0);
  if (count === 0) throw new Refusal('a value is empty, and LiteRT loads no empty tensors');
  const { dtype } = lowering.resultType(node);
  const values = Array.from({ length: count }, (_, index) => start + index * delta);
  lowering.define(lowering.output(node), lowering.constant(dtype, values, [count]));
}

/** A weight of one value, which is written out when the file is. */
function constantOfShape(node: Node, lowering: Lowering): void {
  const output = lowering.output(node);
  const shape = lowering.fixed(lowering.input(node, 0), 'the shape');
  const attribute = node.attributes.get('value');
  const fill = attribute?.type === 'tensor' ? attribute.value : scalarTensor('float32', 0);
  const dtype = internalType(fill.dtype);
  const [value = 0] = toNumbers(fill);
  const count = elementCount(shape);
  if (count === 0) throw new Refusal('a value is empty, and LiteRT loads no empty tensors');
  const constant = lateTensor(dtype, shape, byteLength(dtype, count), () =>
    tensorFromNumbers(dtype, new Float64Array(count).fill(value), shape).data.read(),
  );
  lowering.define(output, { name: output.name, shape, dtype, constant, quantization: null, signature: null });
}

function eyeLike(node: Node, lowering: Lowering): void {
  const { shape, dtype } = lowering.resultType(node);
  const [rows = 1, columns = 1] = shape;
  const k = node.int('k', 0);
  const values = Array.from({ length: rows * columns }, (_, at) =>
    Number((at % columns) - Math.floor(at / columns) === k),
  );
  lowering.define(lowering.output(node), lowering.constant(dtype, values, shape));
}
