/** DFT and STFT as products: what the engine says of the model before and after. */
import { describe, expect, it } from 'vitest';
import { onnxBytes } from '../../../native-workers/formats/onnx/write.ts';
import { cloneModel } from '../../../native-workers/graph/clone.ts';
import { expandFourier } from '../../../native-workers/graph/expand-fourier.ts';
import type { Model } from '../../../native-workers/graph/model.ts';
import { scalarTensor, toNumbers } from '../../../native-workers/graph/tensor-values.ts';
import { validate } from '../../../native-workers/graph/validate.ts';
import type { Value } from '../../../native-workers/graph/value.ts';
import type { HostTensor } from '../../../native-workers/lib/engine.ts';
import { openEngine } from '../../../native-workers/runtimes/onnxruntime.ts';
import { ModelBuilder } from '../../helpers/models.ts';

const engine = await openEngine();

function signal(shape: readonly number[]): HostTensor {
  const size = shape.reduce((all, dim) => all * dim, 1);
  return { dtype: 'float32', shape, data: Float32Array.from({ length: size }, (_, at) => Math.sin(at * at + 1)) };
}

async function run(model: Model, x: HostTensor): Promise<HostTensor> {
  const session = await engine.open(onnxBytes(cloneModel(model).model));
  const { y } = await session.run({ x });
  await session.release();
  if (y === undefined) throw new Error('no output y');
  return y;
}

/** The largest difference of the products from the engine's own transform. */
async function difference(model: Model, shape: readonly number[]): Promise<number> {
  const x = signal(shape);
  const before = await run(model, x);
  expect(expandFourier(model, new Map())).toBe(1);
  validate(model);
  expect([...model.graph.nodes].filter((node) => node.is('DFT', 'STFT'))).toEqual([]);
  const after = await run(model, x);
  expect(after.shape).toEqual(before.shape);
  const wanted = before.data as Float32Array;
  return Math.max(
    ...Array.from(after.data as Float32Array, (value, at) => Math.abs(value - (wanted[at] ?? Number.NaN))),
  );
}

interface Transform {
  readonly axis?: number;
  readonly length?: number;
  readonly inverse?: number;
  readonly onesided?: number;
}

function dft(shape: readonly number[], { axis, length, ...attributes }: Transform, opset: number): Model {
  const build = new ModelBuilder();
  const number = (name: string, value: number | undefined): Value | null =>
    value === undefined ? null : build.graph.addInitializer(name, scalarTensor('int64', value));
  const inputs = [build.input('x', shape), number('n', length)];
  // The engine (1.30) ends the process where this operand is left out.
  if (opset >= 20) inputs.push(number('axis', axis ?? -2));
  const own = opset >= 20 || axis === undefined ? attributes : { ...attributes, axis };
  return build.outputs(build.op('DFT', inputs, 'y', own)).model(opset, 10);
}

/** Frames of 16, each 7 after the one before. */
function stft(shape: readonly number[], onesided: number, windowed: boolean): Model {
  const build = new ModelBuilder();
  const number = (name: string, value: number): Value => build.graph.addInitializer(name, scalarTensor('int64', value));
  const window = windowed ? build.weight('window', [16], 1) : null;
  const inputs = [build.input('x', shape), number('step', 7), window, number('length', 16)];
  return build.outputs(build.op('STFT', inputs, 'y', { onesided })).model();
}

describe('expandFourier', () => {
  it.each<[readonly number[], Transform]>([
    [[2, 12, 1], {}],
    [[2, 12, 2], {}],
    [[2, 12, 1], { onesided: 1 }],
    [[2, 12, 2], { inverse: 1 }],
    [[2, 12, 2], { length: 9 }],
    [[2, 12, 2], { length: 15, inverse: 1 }],
    [[2, 5, 8, 1], { axis: 1 }],
    [[2, 5, 8, 2], { axis: 2, length: 6 }],
  ])('gives what DFT gives of %j with %j', async (shape, options) => {
    expect(await difference(dft(shape, options, 17), shape)).toBeLessThan(1e-4);
    expect(await difference(dft(shape, options, 20), shape)).toBeLessThan(1e-4);
  });

  it.each<[1 | 2, number, boolean]>([
    [1, 1, true],
    [1, 0, false],
    [1, 1, false],
    [2, 0, false],
  ])('gives what STFT gives of a signal of %i parts, one side %i, window %s', async (parts, onesided, windowed) => {
    expect(await difference(stft([2, 50, parts], onesided, windowed), [2, 50, parts])).toBeLessThan(1e-4);
  });

  it('gives the definition of STFT of a complex signal through a window, for which the engine (1.30) gives something else', async () => {
    const model = stft([1, 50, 2], 0, true);
    const window = [...model.graph.initializers].find(({ name }) => name === 'window')?.tensor;
    const weights = window ? toNumbers(window) : [];
    const x = signal([1, 50, 2]);
    expect(expandFourier(model, new Map())).toBe(1);
    const { data, shape } = await run(model, x);
    expect(shape).toEqual([1, 5, 16, 2]);
    const numbers = x.data as Float32Array;
    const wanted = Array.from({ length: 5 * 16 }, (_, at) => {
      const [frame, k] = [Math.floor(at / 16), at % 16];
      let [real, imaginary] = [0, 0];
      for (let n = 0; n < 16; n++) {
        const angle = (-2 * Math.PI * k * n) / 16;
        const place = 2 * (frame * 7 + n);
        const [a, b] = [numbers[place] ?? 0, numbers[place + 1] ?? 0].map((value) => value * (weights[n] ?? 0)) as [
          number,
          number,
        ];
        real += a * Math.cos(angle) - b * Math.sin(angle);
        imaginary += a * Math.sin(angle) + b * Math.cos(angle);
      }
      return [real, imaginary];
    }).flat();
    const differences = Array.from(data as Float32Array, (value, at) => Math.abs(value - (wanted[at] ?? Number.NaN)));
    expect(Math.max(...differences)).toBeLessThan(1e-4);
  });

  it('leaves alone what it has no length of, and an inverse of one side', () => {
    const build = new ModelBuilder();
    const computed = build.op('DFT', [build.input('x', [2, 12, 1]), build.input('n', [], 'int64')], 'y');
    const models = [build.outputs(computed).model(), dft([2, 7, 2], { inverse: 1, onesided: 1 }, 20)];
    for (const model of models) {
      expect(expandFourier(model, new Map())).toBe(0);
      expect([...model.graph.nodes].map(({ opType }) => opType)).toEqual(['DFT']);
    }
  });
});
