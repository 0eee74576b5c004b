/** Weights of matrix products as ONNX Runtime's MatMulNBits has them: codes in blocks, with a scale and perhaps a zero point each. */
import { intAttribute } from '../../native-workers/graph/attribute.ts';
import type { Model } from '../../native-workers/graph/model.ts';
import { tensorFromBytes, tensorFromFloat32, toFloat32 } from '../../native-workers/graph/tensor-values.ts';

/** Rounds every constant weight [K, N] with whole blocks to 4 bits. Returns how many products there are now of that kind. */
export function toMatMulNBits(model: Model, block: number, zeroPoints: boolean): number {
  const { graph } = model;
  let count = 0;
  for (const node of [...graph.nodes]) {
    const weight = node.inputs[1]?.tensor;
    const [x] = node.inputs;
    const [y] = node.outputs;
    if (!node.is('MatMul') || !x || !y || !weight || weight.shape.length !== 2) continue;
    const [rows = 0, columns = 0] = weight.shape;
    if (rows % block !== 0) continue;
    const values = toFloat32(weight);
    const blocks = rows / block;
    const codes = new Uint8Array((columns * rows) / 2);
    const scales = new Float32Array(columns * blocks);
    const zeros = new Uint8Array(columns * Math.ceil(blocks / 2));
    for (let column = 0; column < columns; column++) {
      for (let index = 0; index < blocks; index++) {
        const part = Array.from({ length: block }, (_, at) => values[(index * block + at) * columns + column] ?? 0);
        const [low, high] = [Math.min(0, ...part), Math.max(0, ...part)];
        const scale = (zeroPoints ? (high - low) / 15 : Math.max(-low, high) / 7) || 1;
        const zero = zeroPoints ? Math.round(-low / scale) : 8;
        scales[column * blocks + index] = scale;
        const byte = column * Math.ceil(blocks / 2) + (index >> 1);
        zeros[byte] = (zeros[byte] ?? 0) | (zero << (4 * (index % 2)));
        part.forEach((value, at) => {
          const code = Math.max(0, Math.min(15, Math.round(value / scale) + zero));
          const place = column * rows + index * block + at;
          codes[place >> 1] = (codes[place >> 1] ?? 0) | (code << (4 * (place % 2)));
        });
      }
    }
    const constant = (name: string, shape: readonly number[], data: Uint8Array | Float32Array) =>
      graph.addInitializer(
        graph.uniqueName(`${node.label}_${name}`),
        data instanceof Float32Array ? tensorFromFloat32(data, shape) : tensorFromBytes('uint8', shape, data),
      );
    const inputs = [
      x,
      constant('codes', [columns, blocks, block / 2], codes),
      constant('scales', [columns * blocks], scales),
      ...(zeroPoints ? [constant('zeros', [zeros.length], zeros)] : []),
    ];
    const made = graph.createValue(`${y.name}_4bit`, y.type);
    graph.addNode({
      opType: 'MatMulNBits',
      domain: 'com.microsoft',
      name: `${node.label}_4bit`,
      inputs,
      outputs: [made],
      attributes: Object.entries({ K: rows, N: columns, bits: 4, block_size: block }).map(
        ([name, value]) => [name, intAttribute(value)] as const,
      ),
    });
    graph.replaceValue(y, made);
    graph.removeNode(node);
    count++;
  }
  model.opsets.set('com.microsoft', 1);
  return count;
}
