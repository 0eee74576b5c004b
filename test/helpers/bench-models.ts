/** Models for benchmarks: a chain of matrix products, whose length sets how long a run takes. */
import { Random } from '../../native-workers/lib/random.ts';
import { tinyOnnx } from './tiny-onnx.ts';

/** `layers` products with one `size` × `size` matrix, each with a Relu, so that nothing can be folded. float32 [batch, size], any batch unless one is given. */
export function matrixChain(layers: number, size = 128, batch: number | string = 'batch'): Uint8Array {
  const random = new Random(1);
  const data = Float32Array.from({ length: size * size }, () => random.normal() / Math.sqrt(size));
  const value = (layer: number): string => (layer === 0 ? 'x' : layer === layers ? 'y' : `v${layer}`);
  return tinyOnnx({
    nodes: Array.from({ length: layers }, (_, layer) => [
      { type: 'MatMul', inputs: [value(layer), 'w'], outputs: [`m${layer}`], name: `matmul ${layer}` },
      { type: 'Relu', inputs: [`m${layer}`], outputs: [value(layer + 1)], name: `relu ${layer}` },
    ]).flat(),
    inputs: [{ name: 'x', shape: [batch, size] }],
    outputs: [{ name: 'y', shape: [batch, size] }],
    weights: [{ name: 'w', shape: [size, size], data }],
  });
}
