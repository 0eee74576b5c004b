import {
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readOnnx, readOnnxBytes } from '../../../../native-workers/formats/onnx/read.ts';
import { onnxBytes, writeOnnx } from '../../../../native-workers/formats/onnx/write.ts';
import { Graph } from '../../../../native-workers/graph/graph.ts';
import { hashModel } from '../../../../native-workers/graph/hash.ts';
import { Model } from '../../../../native-workers/graph/model.ts';
import { Tensor, type TensorData } from '../../../../native-workers/graph/tensor.ts';
import { ConvertedData, FileData, MemoryData } from '../../../../native-workers/graph/tensor-data.ts';
import { tensorFromFloat32, tensorFromNumbers } from '../../../../native-workers/graph/tensor-values.ts';
import { float32ToFloat16Bytes } from '../../../../native-workers/lib/half.ts';
import { ModelBuilder, tinyClassifier } from '../../../helpers/models.ts';
import { temporaryFolder } from '../../../helpers/temp.ts';

/** A model with one weight of two pages and one of a few bytes. */
function twoWeights(): Model {
  const build = new ModelBuilder();
  const product = build.op('MatMul', [build.input('x', [1, 64]), build.weight('large', [64, 32])], 'product');
  return build.outputs(build.op('Add', [product, build.weight('small', [32])], 'sum')).model();
}

describe('a model written and read', () => {
  it('is the same, and the same bytes each time', async () => {
    const model = tinyClassifier();
    const path = join(temporaryFolder(), 'model.onnx');
    const { bytes, files } = await writeOnnx(model, path);
    expect(files).toEqual([path]);
    expect(statSync(path).size).toBe(bytes);
    expect(hashModel(readOnnx(path))).toBe(hashModel(model));
    expect(readFileSync(path).equals(onnxBytes(model))).toBe(true);
    expect(Buffer.compare(onnxBytes(readOnnxBytes(onnxBytes(model))), onnxBytes(model))).toBe(0);
  });

  it('keeps its weights outside when asked, the large ones on pages', async () => {
    const model = twoWeights();
    const path = join(temporaryFolder(), 'model.onnx');
    const { bytes, files } = await writeOnnx(model, path, { external: 'always' });
    expect(files).toEqual([path, `${path}.data`]);
    expect(files.reduce((sum, file) => sum + statSync(file).size, 0)).toBe(bytes);
    const read = readOnnx(path);
    const places = [...read.graph.initializers].map(({ tensor }) =>
      tensor?.data instanceof FileData ? [tensor.data.path, tensor.data.offset] : null,
    );
    expect(places).toEqual([[`${path}.data`, 0], null]);
    expect(hashModel(read)).toBe(hashModel(model));
    const inside = join(dirname(path), 'inside.onnx');
    await writeOnnx(read, inside, { external: 'never' });
    expect(readFileSync(inside).equals(onnxBytes(model))).toBe(true);
  });

  it('stores data that tensors share once', async () => {
    const model = twoWeights();
    const [first] = model.graph.initializers;
    if (first?.tensor) model.graph.addInitializer('again', first.tensor);
    const path = join(temporaryFolder(), 'model.onnx');
    const { files } = await writeOnnx(model, path, { external: 'always' });
    expect(statSync(files[1] ?? '').size).toBe(64 * 32 * 4);
    expect(hashModel(readOnnx(path))).toBe(hashModel(model));
  });

  it('is not written over the weights it is read from', async () => {
    const path = join(temporaryFolder(), 'model.onnx');
    await writeOnnx(twoWeights(), path);
    const before = readFileSync(path);
    await expect(writeOnnx(readOnnx(path), path)).rejects.toMatchObject({ code: 'invalid-options' });
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  it('converts weights on their way', async () => {
    const model = twoWeights();
    for (const value of model.graph.initializers) {
      const { tensor } = value;
      if (tensor === null) continue;
      value.tensor = new Tensor({
        dtype: 'float16',
        shape: tensor.shape,
        data: new ConvertedData(tensor.data, 4, 2, float32ToFloat16Bytes),
      });
      value.type = null;
    }
    const path = join(temporaryFolder(), 'model.onnx');
    await writeOnnx(model, path);
    expect([...readOnnx(path).graph.initializers].map(({ tensor }) => [tensor?.dtype, tensor?.bytes])).toEqual([
      ['float16', 64 * 32 * 2],
      ['float16', 64],
    ]);
  });

  it('leaves nothing behind when its data fails', async () => {
    const failing: TensorData = {
      byteLength: 8,
      read: () => new Uint8Array(8),
      chunks: () => [new Uint8Array(4)],
    };
    const graph = new Graph('broken');
    graph.addInitializer('w', new Tensor({ dtype: 'float32', shape: [2], data: failing }));
    const path = join(temporaryFolder(), 'model.onnx');
    await expect(writeOnnx(new Model(graph, 17, 8), path)).rejects.toMatchObject({ code: 'internal' });
    expect(existsSync(path)).toBe(false);
  });

  it('becomes IR version 4 when a weight is no input', () => {
    const model = tinyClassifier();
    model.irVersion = 3;
    expect(readOnnxBytes(onnxBytes(model)).irVersion).toBe(4);
  });

  it('keeps strings, sub-byte weights and types of every kind', () => {
    const build = new ModelBuilder();
    const sequence = build.graph.addInput('s', {
      kind: 'sequence',
      element: { kind: 'tensor', dtype: 'float32', shape: ['n', null] },
    });
    build.graph.addInput('m', { kind: 'map', key: 'int64', value: { kind: 'optional', element: null } });
    build.graph.addInitializer('nibbles', tensorFromNumbers('int4', [1, -2, 3], [3]));
    build.graph.addInitializer('empty', tensorFromFloat32(new Float32Array(0), [0, 4]));
    const output = build.op('ConcatFromSequence', [sequence], 'out', { axis: 0 });
    const model = build.outputs(output).model();
    model.metadata.set('key', 'värde');
    const read = readOnnxBytes(onnxBytes(model));
    expect(hashModel(read)).toBe(hashModel(model));
    expect(read.graph.inputs.map((input) => input.type)).toEqual(model.graph.inputs.map((input) => input.type));
  });
});

describe('external data', () => {
  async function externalModel(): Promise<string> {
    const path = join(temporaryFolder(), 'model', 'model.onnx');
    mkdirSync(dirname(path));
    await writeOnnx(twoWeights(), path, { external: 'always' });
    return path;
  }
  /** Points the model at another file name of the same length. */
  function redirect(path: string, to: string): void {
    const bytes = readFileSync(path);
    expect(to.length).toBe('model.onnx.data'.length);
    bytes.write(to, bytes.indexOf('model.onnx.data'));
    writeFileSync(path, bytes);
  }

  it('that is missing is named', async () => {
    const path = await externalModel();
    rmSync(`${path}.data`);
    expect(() => readOnnx(path)).toThrow(
      expect.objectContaining({ code: 'external-data-missing', message: expect.stringContaining('model.onnx.data') }),
    );
  });

  it('that ends early is found before it is used', async () => {
    const path = await externalModel();
    truncateSync(`${path}.data`, 100);
    expect(() => readOnnx(path)).toThrow(expect.objectContaining({ code: 'external-data-range' }));
  });

  it.each(['../../secret.tx', '/etc/hostname00', '..\\model.data00', 'a/../../b/c/d/e', 'model.onnx.d\0ta'])(
    'outside of the folder is refused: %j',
    async (location) => {
      const path = await externalModel();
      redirect(path, location);
      expect(() => readOnnx(path)).toThrow(expect.objectContaining({ code: 'external-data-outside' }));
    },
  );

  it('outside of the folder is refused behind a link too', async () => {
    const path = await externalModel();
    const outside = join(dirname(path), '..', 'outside.data');
    renameSync(`${path}.data`, outside);
    symlinkSync(outside, `${path}.data`);
    expect(() => readOnnx(path)).toThrow(expect.objectContaining({ code: 'external-data-outside' }));
  });

  it('of a download cache, where model and weights are links into one store, is read', async () => {
    const path = await externalModel();
    const store = join(dirname(path), '..', 'blobs');
    mkdirSync(store);
    for (const [file, blob] of [
      [path, 'a1'],
      [`${path}.data`, 'b2'],
    ] as const) {
      renameSync(file, join(store, blob));
      symlinkSync(join('..', 'blobs', blob), file);
    }
    expect(hashModel(readOnnx(path))).toBe(hashModel(twoWeights()));
  });

  it('cannot belong to a model in memory', async () => {
    const path = await externalModel();
    expect(() => readOnnxBytes(readFileSync(path))).toThrow(expect.objectContaining({ code: 'external-data-missing' }));
  });

  it('has a size that fits its tensor', async () => {
    const path = await externalModel();
    const bytes = readFileSync(path);
    bytes.write('8191', bytes.indexOf('8192'));
    writeFileSync(path, bytes);
    expect(() => readOnnx(path)).toThrow(expect.objectContaining({ code: 'tensor-size-mismatch' }));
  });
});

describe('a hundred thousand nodes', () => {
  it('are read, written and read back', () => {
    const build = new ModelBuilder('chain');
    let value = build.input('x', [4]);
    for (let index = 0; index < 100_000; index++) value = build.op('Relu', [value], `v${index}`);
    const model = build.outputs(value).model();
    const bytes = onnxBytes(model);
    const read = readOnnxBytes(bytes);
    expect(read.graph.nodes.size).toBe(100_000);
    expect(Buffer.compare(onnxBytes(read), bytes)).toBe(0);
  });

  it('are no problem upside down', () => {
    const build = new ModelBuilder('chain');
    let value = build.input('x', [4]);
    for (let index = 0; index < 20_000; index++) value = build.op('Relu', [value], `v${index}`);
    const model = build.outputs(value).model();
    const reversed = [...model.graph.nodes].reverse();
    model.graph.nodes.clear();
    for (const node of reversed) model.graph.nodes.add(node);
    expect([...readOnnxBytes(onnxBytes(model)).graph.nodes][0]?.outputs[0]?.name).toBe('v0');
  });
});

it('memory data is given in pieces', () => {
  const pieces = [...new MemoryData(Uint8Array.of(1, 2, 3, 4, 5)).chunks(2)].map((piece) => [...piece]);
  expect(pieces).toEqual([[1, 2], [3, 4], [5]]);
});
