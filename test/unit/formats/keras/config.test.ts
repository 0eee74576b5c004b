/** Configurations made in the test: what is read from them, and what of a hostile one is refused before it costs anything. */
import { createWriteStream, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { describe, expect, it } from 'vitest';
import { ZipFile } from 'yazl';
import { parseModel } from '../../../../native-workers/formats/keras/config.ts';
import { readKeras } from '../../../../native-workers/formats/keras/read.ts';
import { snakeCase } from '../../../../native-workers/formats/keras/weights.ts';
import { ROOT } from '../../../helpers/sources.ts';
import { temporaryFolder } from '../../../helpers/temp.ts';

/** Any HDF5 file: the models here have no weights. */
const WEIGHTS = readFileSync(join(ROOT, 'test', 'golden', 'keras', 'refused', 'data.h5'));

async function archive(config: unknown, weights: Buffer = WEIGHTS): Promise<string> {
  const path = join(temporaryFolder(), 'model.keras');
  const zip = new ZipFile();
  zip.addBuffer(Buffer.from('{"keras_version": "3.15.1"}'), 'metadata.json', { compress: false });
  zip.addBuffer(Buffer.from(typeof config === 'string' ? config : JSON.stringify(config)), 'config.json');
  zip.addBuffer(weights, 'model.weights.h5', { compress: false });
  zip.end();
  await finished(zip.outputStream.pipe(createWriteStream(path)));
  return path;
}

const input = (name: string) => ({
  class_name: 'InputLayer',
  name,
  config: { name, batch_shape: [null, 3], dtype: 'float32' },
  inbound_nodes: [],
});

const layer = (class_name: string, name: string, readers: readonly string[], config: object = {}) => ({
  class_name,
  name,
  module: 'keras.layers',
  config: { name, trainable: true, ...config },
  inbound_nodes: readers.map((from) => ({
    args: [{ class_name: '__keras_tensor__', config: { keras_history: [from, 0, 0] } }],
    kwargs: {},
  })),
});

const functional = (layers: readonly object[], from: string, to: readonly (readonly [string, number, number])[]) => ({
  class_name: 'Functional',
  config: { name: 'net', layers, input_layers: [[from, 0, 0]], output_layers: to },
});

describe('a configuration', () => {
  it('names outputs and nodes after layers, and inputs after theirs', async () => {
    const config = functional([input('x'), layer('ReLU', 'active', ['x'])], 'x', [['active', 0, 0]]);
    const { graph, producerVersion } = await readKeras(await archive(config));
    expect(producerVersion).toBe('3.15.1');
    expect(graph.inputs.map(({ name, type }) => ({ name, type }))).toEqual([
      { name: 'x', type: { kind: 'tensor', dtype: 'float32', shape: ['batch', 3] } },
    ]);
    expect(graph.outputs.map(({ name }) => name)).toEqual(['active']);
    expect([...graph.nodes].map(({ name, opType }) => [name, opType])).toEqual([['active', 'Relu']]);
  });

  it('may give its input, or one tensor twice', async () => {
    const outputs = [
      ['x', 0, 0],
      ['active', 0, 0],
      ['active', 0, 0],
    ] as const;
    const config = functional([input('x'), layer('ReLU', 'active', ['x'])], 'x', outputs);
    const { graph } = await readKeras(await archive(config));
    expect(graph.outputs.map(({ name }) => name)).toEqual(['x_1', 'active', 'active_1']);
  });

  it('is refused when layers wait for each other', async () => {
    const layers = [input('x'), layer('ReLU', 'a', ['b']), layer('ReLU', 'b', ['a'])];
    await expect(readKeras(await archive(functional(layers, 'x', [['b', 0, 0]])))).rejects.toMatchObject({
      code: 'graph-cycle',
    });
  });

  it('is refused when a tensor is named that nothing makes', async () => {
    const config = functional([input('x'), layer('ReLU', 'a', ['x'])], 'x', [['a', 0, 7]]);
    await expect(readKeras(await archive(config))).rejects.toThrow(/names a tensor of a that nothing makes/);
  });

  it('is refused when a weight is not in the file', async () => {
    const config = functional([input('x'), layer('Dense', 'd', ['x'], { units: 2 })], 'x', [['d', 0, 0]]);
    await expect(readKeras(await archive(config))).rejects.toThrow(/layer d has no weight kernel/);
  });

  it('is refused when it is no JSON, no record, or lists in lists without end', async () => {
    await expect(readKeras(await archive('{"class_name"'))).rejects.toMatchObject({ code: 'file-corrupt' });
    await expect(readKeras(await archive('[1]'))).rejects.toMatchObject({ code: 'file-corrupt' });
    const deep = `{"class_name": "Functional", "config": ${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
    await expect(readKeras(await archive(deep))).rejects.toThrow(/lists in lists/);
  });

  it('is refused when models in models are called without end', async () => {
    let inner: object = functional([input('x'), layer('ReLU', 'r', ['x'])], 'x', [['r', 0, 0]]);
    for (let depth = 0; depth < 24; depth++) {
      const twice = {
        ...inner,
        name: 'm',
        inbound_nodes: [...layer('', '', ['x']).inbound_nodes, ...layer('', '', ['m']).inbound_nodes],
      };
      inner = functional([input('x'), twice], 'x', [['m', 1, 0]]);
    }
    await expect(readKeras(await archive(inner))).rejects.toThrow(/called more often than any model/);
  });

  it('knows functions from layers of the same name', () => {
    const text = JSON.stringify({
      class_name: 'Sequential',
      config: {
        name: 's',
        layers: [input('x'), { class_name: 'Add', module: 'keras.src.ops.numpy', config: { name: 'add' } }],
      },
    });
    expect(parseModel(text, 'model').layers.map(({ type }) => type)).toEqual(['InputLayer', 'function:Add']);
  });
});

it('names of folders are those of Keras', () => {
  expect(['Conv2D', 'ReLU', 'BatchNormalization', 'DepthwiseConv2D', 'PReLU', 'LSTM'].map(snakeCase)).toEqual([
    'conv2d',
    're_lu',
    'batch_normalization',
    'depthwise_conv2d',
    'p_re_lu',
    'lstm',
  ]);
});
