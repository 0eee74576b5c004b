/** What can be chosen of a Core ML package, on models made here. Real models: test/models/coreml.test.ts. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { CoremlOptions } from '../../../native-workers/artifacts/coreml-options.ts';
import type { Coverage } from '../../../native-workers/artifacts/target.ts';
import { readPackage } from '../../../native-workers/formats/coreml/read-package.ts';
import { onnxBytes } from '../../../native-workers/formats/onnx/write.ts';
import { intAttribute, intsAttribute } from '../../../native-workers/graph/attribute.ts';
import { Model } from '../../../native-workers/graph/model.ts';
import { scalarTensor, tensorFromNumbers } from '../../../native-workers/graph/tensor-values.ts';
import { openRuntime } from '../../../native-workers/runtimes/coreml-artifact.ts';
import { openEngine } from '../../../native-workers/runtimes/onnxruntime.ts';
import { coverageOf, runCoreml, type WrittenPackage, writeCoreml } from '../../helpers/coreml.ts';
import { ModelBuilder } from '../../helpers/models.ts';
import { type Fields, wire } from '../../helpers/wire.ts';

const engine = await openEngine();
const coverage = (model: Model, options: Partial<CoremlOptions>): Promise<Coverage> =>
  coverageOf(engine, model, options);
const write = (model: Model, options: Partial<CoremlOptions>): Promise<WrittenPackage> =>
  writeCoreml(engine, model, options);

const modelBytes = ({ path }: WrittenPackage): Buffer =>
  readFileSync(join(path, 'Data/com.apple.CoreML/model.mlmodel'));

describe('options of a package', () => {
  function classifier(): Model {
    const build = new ModelBuilder();
    const x = build.input('data:0', ['N', 3, 8, 8]);
    const conv = build.op('Conv', [x, build.weight('w', [4, 3, 3, 3])], 'conv', {
      pads: [0, 0, 1, 1],
      strides: [2, 2],
    });
    const pooled = build.op('GlobalAveragePool', [conv], 'pooled');
    build.graph.outputs.push(build.op('Flatten', [pooled], 'true'));
    return new Model(build.graph, 17, 8);
  }

  it('give names that MIL takes, an open batch and the versions of the target', async () => {
    const { folder, written } = await write(classifier(), { batch: 0, target: 'iOS17', precision: 'float32' });
    expect(written.signature.inputs[0]).toMatchObject({ source: 'data:0', name: 'data_0', shape: [null, 3, 8, 8] });
    expect(written.signature.outputs[0]).toMatchObject({ source: 'true', name: '_true' });
    expect(written.requires).toEqual({ iOS: '17', macOS: '14' });
    const { specification, main } = readPackage(join(folder, written.path));
    expect([specification, main.opset]).toEqual([8, 'CoreML7']);
    const session = await (await openRuntime()).open(join(folder, written.path), written.signature, () => undefined);
    const data = Float32Array.from({ length: 5 * 3 * 64 }, (_, index) => Math.sin(index));
    const feeds = { 'data:0': { dtype: 'float32', shape: [5, 3, 8, 8], data } } as const;
    const found = (await session.run(feeds))['true'];
    await session.release();
    const reference = await engine.open(onnxBytes(classifier()));
    const wanted = (await reference.run(feeds))['true']?.data as Float32Array;
    await reference.release();
    expect(found?.shape).toEqual([5, 4]);
    const differences = Array.from(found?.data as Float32Array, (value, index) =>
      Math.abs(value - (wanted[index] ?? Number.NaN)),
    );
    expect(Math.max(...differences)).toBeLessThan(1e-5);
  });

  it('make a picture of the input and classes of the output', async () => {
    const labels = ['cat', 'dog', 'owl', 'eel'];
    const { folder, written } = await write(classifier(), {
      image: 'rgb',
      imageScale: [1 / 255],
      imageBias: [-1, 0, 1],
      labels,
    });
    const { main } = readPackage(join(folder, written.path));
    expect(main.operations.at(-1)?.type).toBe('classify');
    expect(main.operations.at(-1)?.inputs.get('classes')?.[0]).toMatchObject({ strings: labels });
    const model = readFileSync(join(folder, written.path, 'Data/com.apple.CoreML/model.mlmodel'));
    expect(model.includes('classProbabilities')).toBe(true);
    expect(main.operations.some(({ outputs }) => outputs[0]?.name.includes('mul'))).toBe(true);
  });

  it('take colours, scale and bias of a picture from the preprocessing', async () => {
    const preprocess = { color: 'bgr', scale: 1 / 255, mean: [0.1, 0.2, 0.3], std: [0.5, 0.25, 2] } as const;
    const model = classifier();
    const made = await writeCoreml(engine, model, { image: 'auto', precision: 'float32' }, 'tiny.onnx', {
      ...preprocess,
      mean: [...preprocess.mean],
      std: [...preprocess.std],
    });
    const [input] = made.written.signature.inputs;
    expect(input).toMatchObject({ isPicture: true });
    expect(input?.pixels?.scale[1]).toBeCloseTo(1 / 255 / 0.25, 7);
    expect(input?.pixels?.bias[2]).toBeCloseTo(-0.15, 7);
    // colorSpace BGR, width and height.
    expect(
      modelBytes(made).includes(
        wire([
          [
            4,
            [
              [1, 8],
              [2, 8],
              [3, 30],
            ],
          ],
        ]),
      ),
    ).toBe(true);
    const pixels = Float32Array.from({ length: 192 }, (_, index) => (index * 37) % 256);
    const channel = (index: number): number => Math.floor(index / 64);
    const data = pixels.map(
      (pixel, index) => (pixel / 255 - (preprocess.mean[channel(index)] ?? 0)) / (preprocess.std[channel(index)] ?? 1),
    );
    const feeds = { 'data:0': { dtype: 'float32', shape: [1, 3, 8, 8], data } } as const;
    const found = (await runCoreml(made, feeds))['true']?.data as Float32Array;
    const reference = await engine.open(onnxBytes(model));
    const wanted = (await reference.run(feeds))['true']?.data as Float32Array;
    await reference.release();
    for (const [index, value] of found.entries()) expect(value).toBeCloseTo(wanted[index] ?? Number.NaN, 5);
  });

  it('refuse a picture of which the preprocessing is not known', async () => {
    await expect(write(classifier(), { image: 'auto' })).rejects.toMatchObject({ code: 'invalid-options' });
    await expect(write(classifier(), { image: 'rgb', imageScale: [1, 2] })).rejects.toMatchObject({
      code: 'invalid-options',
    });
    await expect(write(classifier(), { image: 'gray' })).rejects.toMatchObject({ code: 'operator-unsupported' });
  });

  it('fix an open size, or allow some sizes only, and run at each of them', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', ['batch', 'sequence', 4]);
    build.graph.outputs.push(build.op('MatMul', [x, build.weight('w', [4, 3])], 'y'));
    const model = new Model(build.graph, 17, 8);
    const fixed = await write(model, { sizes: ['sequence=6'] });
    expect(fixed.written.signature.inputs[0]?.shape).toEqual([1, 6, 4]);
    const some = await write(model, { sizes: ['sequence=6:12'], precision: 'float32' });
    expect(some.written.signature.inputs[0]?.shape).toEqual([1, null, 4]);
    const shape = (length: number): Fields => [
      [1, 1],
      [1, length],
      [1, 4],
    ];
    expect(
      modelBytes(some).includes(
        wire([
          [
            21,
            [
              [1, shape(6)],
              [1, shape(12)],
            ],
          ],
        ]),
      ),
    ).toBe(true);
    expect(some.written.notes.join()).toContain('sequence=6:12');
    for (const length of [6, 12]) {
      const data = Float32Array.from({ length: length * 4 }, (_, index) => Math.sin(index));
      const found = (await runCoreml(some, { x: { dtype: 'float32', shape: [1, length, 4], data } }))['y'];
      expect(found?.shape).toEqual([1, length, 3]);
    }
    const range = await write(model, { largest: 99 });
    // lowerBound 1, upperBound 99 between two sizes that are fixed.
    expect(
      modelBytes(range).includes(
        wire([
          [
            31,
            [
              [
                1,
                [
                  [1, 1],
                  [2, 1],
                ],
              ],
              [
                1,
                [
                  [1, 1],
                  [2, 99],
                ],
              ],
              [
                1,
                [
                  [1, 4],
                  [2, 4],
                ],
              ],
            ],
          ],
        ]),
      ),
    ).toBe(true);
    await expect(write(model, { batch: 0, sizes: ['batch=1:2:3', 'sequence=6:12'] })).rejects.toMatchObject({
      code: 'invalid-options',
    });
  });

  it('say author, version and licence, and what inputs are', async () => {
    const model = classifier();
    model.metadata.set('license', 'MIT');
    const own = modelBytes(await write(model, { author: 'Ada', version: '1.2' }));
    expect(
      own.includes(
        wire([
          [
            100,
            [
              [2, '1.2'],
              [3, 'Ada'],
              [4, 'MIT'],
            ],
          ],
        ]),
      ),
    ).toBe(true);
    expect(own.includes("float32 'data:0' of the source model")).toBe(true);
    expect(modelBytes(await write(model, { license: 'Apache-2.0' })).includes('MIT')).toBe(false);
  });

  it('refuse labels that are not as many as the classes', async () => {
    await expect(write(classifier(), { labels: ['one'] })).rejects.toMatchObject({ code: 'invalid-options' });
  });

  it('say what needs a newer system', async () => {
    await expect(write(quantized(), { target: 'iOS16' })).rejects.toMatchObject({ code: 'operator-unsupported' });
    const { unsupported } = await coverage(quantized(), { target: 'iOS16' });
    expect(unsupported[0]).toMatchObject({
      type: 'QuantizeLinear',
      reason: 'iOS 17 brought quantized activations, and the target is iOS 16: choose iOS 17',
    });
  });

  it('choose the oldest system that has what the model needs, unless one is named', async () => {
    expect((await write(classifier(), {})).written.requires).toEqual({ iOS: '16', macOS: '13' });
    const { written } = await write(quantized(), {});
    expect(written.requires).toEqual({ iOS: '17', macOS: '14' });
    // And quantized activations keep their scales.
    expect(written.tolerance?.float).toBe(1e-4);
    expect((await write(quantized(), { precision: 'float16' })).written.tolerance?.float).toBe(1e-2);
    // No system has it: what the oldest lacks is told.
    const build = new ModelBuilder();
    const model = build.outputs(build.op('Bernoulli', [build.input('x', [1, 3, 3])], 'y')).model();
    expect((await coverage(model, {})).unsupported).toMatchObject([{ type: 'Bernoulli' }]);
  });

  /** Activations as uint8 by tensor, weights as int8 by channel. */
  function quantized(): Model {
    const build = new ModelBuilder();
    const { graph } = build;
    const x = build.input('x', [1, 3, 8, 8]);
    const scale = graph.addInitializer('scale', scalarTensor('float32', 0.02));
    const zero = graph.addInitializer('zero', scalarTensor('uint8', 128));
    const codes = Array.from({ length: 4 * 27 }, (_, index) => ((index * 37) % 255) - 127);
    const w = graph.addInitializer('w', tensorFromNumbers('int8', codes, [4, 3, 3, 3]));
    const scales = graph.addInitializer('scales', tensorFromNumbers('float32', [0.01, 0.02, 0.03, 0.04], [4]));
    const zeros = graph.addInitializer('zeros', tensorFromNumbers('int8', [0, 0, 0, 0], [4]));
    const q = build.op('QuantizeLinear', [x, scale, zero], 'q');
    const dq = build.op('DequantizeLinear', [q, scale, zero], 'dq');
    const dw = build.op('DequantizeLinear', [w, scales, zeros], 'dw', { axis: intAttribute(0) });
    graph.outputs.push(build.op('Conv', [dq, dw], 'y', { pads: intsAttribute([1, 1, 1, 1]) }));
    return new Model(graph, 17, 8);
  }

  it.each(['iOS17', 'iOS18'] as const)('keep quantized activations and weights for %s', async (target) => {
    const { folder, written } = await write(quantized(), { target, precision: 'float32' });
    const { main } = readPackage(join(folder, written.path));
    const types = main.operations.map(({ type }) => type);
    expect(types).toEqual(expect.arrayContaining(['quantize', 'dequantize', 'conv']));
    expect(types.some((type) => type.startsWith('constexpr_'))).toBe(true);
    const session = await (await openRuntime()).open(join(folder, written.path), written.signature, () => undefined);
    const feeds = {
      x: {
        dtype: 'float32',
        shape: [1, 3, 8, 8],
        data: Float32Array.from({ length: 192 }, (_, index) => Math.sin(index) * 2),
      },
    } as const;
    const found = (await session.run(feeds))['y']?.data as Float32Array;
    await session.release();
    const reference = await engine.open(onnxBytes(quantized()), { optimization: 'disabled' });
    const wanted = (await reference.run(feeds))['y']?.data as Float32Array;
    await reference.release();
    const largest = Math.max(...Array.from(wanted, Math.abs));
    const differences = Array.from(found, (value, index) => Math.abs(value - (wanted[index] ?? 0)));
    expect(Math.max(...differences)).toBeLessThanOrEqual(1e-5 * largest);
  });

  it('name an operator that is not converted', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', [2, 2]);
    build.graph.outputs.push(build.op('Bernoulli', [x], 'y'));
    const model = new Model(build.graph, 17, 8);
    expect((await coverage(model, {})).unsupported).toEqual([
      { node: 'y_node', type: 'Bernoulli', reason: expect.stringContaining('drawn at random') },
    ]);
    await expect(write(model, {})).rejects.toMatchObject({ code: 'operator-unsupported' });
  });

  it('leave no weight file where there are no large weights', async () => {
    const build = new ModelBuilder();
    build.graph.outputs.push(build.op('Relu', [build.input('x', [1, 4])], 'y'));
    const { folder, written } = await write(new Model(build.graph, 17, 8), {});
    expect(existsSync(join(folder, written.path, 'Data/com.apple.CoreML/weights'))).toBe(false);
    expect(written.files).toHaveLength(2);
  });
});
