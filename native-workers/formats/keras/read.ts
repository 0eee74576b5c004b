/** Opens a Keras model, `.h5` of Keras 2 or 3 and `.keras` of Keras 3, as an ONNX graph with channels first. */
import { statSync } from 'node:fs';
import { Model } from '../../graph/model.ts';
import { FileSource } from '../../lib/bytes.ts';
import { Hdf5File } from '../../lib/hdf5/file.ts';
import { HoneError } from '../../protocol/errors.ts';
import { openArchive } from './archive.ts';
import { type LayerConfig, type Network, parseModel } from './config.ts';
import { field } from './json.ts';
import { GraphBuilder } from './raise/builder.ts';
import { raiseModel } from './raise/network.ts';
import { findRaise } from './raise/registry.ts';
import { NamedWeights, NumberedWeights, type WeightStore } from './weights.ts';

/** As for TFLite files: reductions take their axes as an input from 18 on. */
const OPSET = 18;
const IR_VERSION = 10;

/**
 * Reads the model without its weights. Throws `operator-unsupported` naming every class of layers that Hone does not open, with
 * their number (`Lambda` and classes of users among them, which are Python code and never run), `format-unsupported` for an
 * HDF5 file without a model, and what the readers of HDF5 and of archives throw.
 */
export async function readKeras(path: string): Promise<Model> {
  const source = new FileSource(path);
  try {
    if (isZip(source)) {
      const { config, version, weights } = await openArchive(source, path);
      return raise(config, version, new NumberedWeights(weights.root), path);
    }
    const file = new Hdf5File(source, path);
    const config = file.root.text('model_config');
    const weights = file.root.child('model_weights');
    if (config === null || weights === null) throw noModel(file, path);
    return raise(config, file.root.text('keras_version'), new NamedWeights(weights, path), path);
  } finally {
    source.close();
  }
}

function isZip(source: FileSource): boolean {
  const head = new Uint8Array(2);
  if (source.length > 2) source.read(head, 0);
  return head[0] === 0x50 && head[1] === 0x4b;
}

function noModel(file: Hdf5File, path: string): HoneError {
  const isWeights = file.root.texts('layer_names') !== null || file.root.child('layers') !== null;
  const what = isWeights ? 'the weights of a Keras model without its layers' : 'no Keras model';
  return new HoneError(
    'format-unsupported',
    `The HDF5 file holds ${what}. Save the whole model in Keras: model.save("model.keras").`,
    { where: { file: path } },
  );
}

function raise(config: string, version: string | null, weights: WeightStore, path: string): Model {
  const network = parseModel(config, path);
  refuseUnknown(network, path);
  refuseMasks(network, path);
  const builder = new GraphBuilder(network.name, path);
  raiseModel(network, { builder, weights, version: Number.parseInt(version ?? '2', 10) || 2 });
  const model = new Model(builder.graph, OPSET, IR_VERSION);
  model.producerName = 'Keras';
  model.producerVersion = version ?? '';
  model.source = { path, bytes: statSync(path).size, format: 'keras' };
  return model;
}

/** Layers of the network and of all networks in it. */
function* everyLayer(network: Network): Iterable<LayerConfig> {
  for (const layer of network.layers) {
    yield layer;
    if (layer.network !== null) yield* everyLayer(layer.network);
  }
}

function refuseUnknown(network: Network, path: string): void {
  const unknown = new Map<string, string[]>();
  for (const { type, name, network: inner } of everyLayer(network)) {
    if (inner !== null || type === 'InputLayer' || type === 'TimeDistributed' || findRaise(type) !== null) continue;
    const names = unknown.get(type) ?? [];
    names.push(name);
    unknown.set(type, names);
  }
  if (unknown.size === 0) return;
  const list = [...unknown].map(([type, names]) => {
    const called = `${names.slice(0, 3).join(', ')}${names.length > 3 ? ', …' : ''}`;
    return `${type.replace(/^function:/, 'the function ')} (${names.length}: ${called})`;
  });
  const lambda = unknown.has('Lambda')
    ? ' Lambda holds Python code, which Hone never runs: put layers of Keras in its place.'
    : '';
  throw new HoneError(
    'operator-unsupported',
    `The model has layers that Hone does not open: ${list.join('; ')}.${lambda} Replace them and save the model again, or export it to ONNX.`,
    { where: { file: path, node: [...unknown.values()][0]?.[0] ?? '' } },
  );
}

/** Layers whose result depends on a mask. */
const MASKED = /^(LSTM|GRU|SimpleRNN|Bidirectional|TimeDistributed|GlobalAveragePooling1D|MultiHeadAttention|Softmax)$/;

/** Embedding can tell the layers after it which steps to leave out; without that, they would give other results. */
function refuseMasks(network: Network, path: string): void {
  const layers = [...everyLayer(network)];
  const source = layers.find(({ type, config }) => type === 'Embedding' && field(config, 'mask_zero') === true);
  const reader = layers.find(({ type }) => MASKED.test(type));
  if (source === undefined || reader === undefined) return;
  throw new HoneError(
    'operator-unsupported',
    `The layer ${source.name} masks zeros (mask_zero) for ${reader.name}, which Hone does not open. Set mask_zero to false and save the model again.`,
    { where: { file: path, node: source.name } },
  );
}
