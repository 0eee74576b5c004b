/** A model of gigabytes with its weights outside, written in seconds: for measuring what reads and rewrites it. */
import { writeOnnx } from '../../native-workers/formats/onnx/write.ts';
import type { Model } from '../../native-workers/graph/model.ts';
import { Tensor, type TensorData } from '../../native-workers/graph/tensor.ts';
import { tensorType } from '../../native-workers/graph/types.ts';
import type { Value } from '../../native-workers/graph/value.ts';
import { Random } from '../../native-workers/lib/random.ts';
import { ModelBuilder } from './models.ts';

const WIDTH = 2048;
const HIDDEN = 5632;
/** Bytes of the weights of one layer: four square matrices and three of the feed-forward part, float32. */
const LAYER_BYTES = 4 * (4 * WIDTH * WIDTH + 3 * WIDTH * HIDDEN);

/** Normal numbers that repeat every megabyte, each tensor's beginning elsewhere in them: no two are equal. */
class RepeatedData implements TensorData {
  readonly byteLength: number;
  readonly #start: number;
  static readonly #block = Buffer.from(
    Float32Array.from(
      { length: 1 << 18 },
      (
        (random) => () =>
          random.normal() * 0.02
      )(new Random(7)),
    ).buffer,
  );

  constructor(byteLength: number, start: number) {
    this.byteLength = byteLength;
    this.#start = start * 4;
  }

  read(): Uint8Array {
    return Buffer.concat([...this.chunks(1 << 20)]);
  }

  *chunks(size: number): Iterable<Uint8Array> {
    const block = RepeatedData.#block;
    for (let at = 0; at < this.byteLength; ) {
      const from = (this.#start + at) % block.length;
      const length = Math.min(size, block.length - from, this.byteLength - at);
      yield block.subarray(from, from + length);
      at += length;
    }
  }
}

/** A decoder's layers one after another, as many as make `bytes` of weights or a little more. */
export function largeModel(bytes: number): Model {
  const build = new ModelBuilder('large');
  let tensors = 0;
  const weight = (name: string, shape: readonly number[]): Value => {
    const length = shape.reduce((all, dim) => all * dim, 4);
    const tensor = new Tensor({ dtype: 'float32', shape, data: new RepeatedData(length, ++tensors * 17) });
    return build.graph.addInitializer(name, tensor);
  };
  const typed = (value: Value, width: number): Value => {
    value.type = tensorType('float32', ['batch', 'sequence', width]);
    return value;
  };
  let state = build.input('state', ['batch', 'sequence', WIDTH]);
  for (let layer = 0; layer < Math.ceil(bytes / LAYER_BYTES); layer++) {
    const name = (part: string): string => `layer${layer}.${part}`;
    const product = (input: Value, part: string, from: number, to: number): Value =>
      typed(build.op('MatMul', [input, weight(name(`${part}.weight`), [from, to])], name(part)), to);
    let mixed = state;
    for (const part of ['q', 'k', 'v', 'o']) mixed = product(mixed, part, WIDTH, WIDTH);
    const added = typed(build.op('Add', [state, mixed], name('added')), WIDTH);
    const gate = typed(build.op('Sigmoid', [product(added, 'gate', WIDTH, HIDDEN)], name('open')), HIDDEN);
    const gated = typed(build.op('Mul', [gate, product(added, 'up', WIDTH, HIDDEN)], name('gated')), HIDDEN);
    state = typed(build.op('Add', [added, product(gated, 'down', HIDDEN, WIDTH)], name('out')), WIDTH);
  }
  return build.outputs(state).model();
}

export async function writeLargeModel(
  path: string,
  bytes: number,
): Promise<{ bytes: number; files: readonly string[] }> {
  return writeOnnx(largeModel(bytes), path, { external: 'always' });
}
