/**
 * Finds the variables of layers in the HDF5 file. Files of Keras 2 (`.h5`) name each variable, in a group for each layer of the
 * outermost model; files of Keras 3 (`.weights.h5`) number them, in a folder for each layer that is named after its class.
 */
import type { Tensor } from '../../graph/tensor.ts';
import type { Hdf5Object } from '../../lib/hdf5/object.ts';
import { HoneError } from '../../protocol/errors.ts';
import type { LayerConfig, Network } from './config.ts';

/** Where a layer, or a part of one, keeps its variables. */
export interface WeightScope {
  /** Names from the outermost layer inwards: `['encoder', 'conv1']`. */
  readonly names: readonly string[];
  /** The folder in files of Keras 3: `layers/sequential/layers/conv2d`. */
  readonly folder: string;
}

export interface WeightStore {
  /**
   * The variable of that name, or null when the file has none. `order`: all variables of the layer in the order in which it
   * makes them, those that are trained first.
   */
  find(scope: WeightScope, name: string, order: readonly string[]): Tensor | null;
}

/** Files of Keras 3: `vars/0`, `vars/1`, in the folder of the layer (`saving_lib.py`). */
export class NumberedWeights implements WeightStore {
  readonly #root: Hdf5Object;

  constructor(root: Hdf5Object) {
    this.#root = root;
  }

  find(scope: WeightScope, name: string, order: readonly string[]): Tensor | null {
    const path = `${scope.folder}/vars/${order.indexOf(name)}`;
    // TensorFlow 2.13 called the folder after the field that held the layers.
    const found =
      this.#root.child(path) ??
      this.#root.child(path.replaceAll(/(^|\/)layers\//g, '$1_layer_checkpoint_dependencies/'));
    return found?.tensor() ?? null;
  }
}

/** A weight by its path in the group of its layer, and the parts of that path without `:0`. */
interface NamedWeight {
  readonly path: string;
  readonly parts: readonly string[];
}

interface LayerGroup {
  readonly group: Hdf5Object;
  /** Weights by `name`, and by `part/name` for each part of the path before the name. */
  readonly index: ReadonlyMap<string, readonly NamedWeight[]>;
}

/** Files of Keras 2, and what Keras 3 writes as `.h5`: `model_weights/<layer>`, with the names in an attribute (`hdf5_format.py`). */
export class NamedWeights implements WeightStore {
  readonly #root: Hdf5Object;
  readonly #path: string;
  readonly #groups: Map<string, LayerGroup | null> = new Map();

  constructor(root: Hdf5Object, path: string) {
    this.#root = root;
    this.#path = path;
  }

  find({ names }: WeightScope, name: string): Tensor | null {
    const [outermost = '', ...inner] = names;
    const known = this.#groups.get(outermost);
    const found = known === undefined ? this.#open(outermost) : known;
    this.#groups.set(outermost, found);
    if (found === null) return null;
    // In a model used as a layer, and in a layer of several parts, the names of both stand in the variable's.
    let candidates: readonly NamedWeight[] | null = null;
    for (const part of inner) {
      const closer: readonly NamedWeight[] =
        candidates === null
          ? (found.index.get(`${part}/${name}`) ?? [])
          : candidates.filter(({ parts }) => parts.includes(part));
      if (closer.length > 0) candidates = closer;
    }
    candidates ??= found.index.get(name) ?? [];
    if (candidates.length > 1) {
      throw new HoneError(
        'file-corrupt',
        `The file has ${candidates.length} weights that could be ${name} of ${names.join('/')}.`,
        { where: { file: this.#path, tensor: candidates[0]?.path ?? name } },
      );
    }
    const [only] = candidates;
    return only === undefined ? null : (found.group.child(only.path)?.tensor() ?? null);
  }

  #open(layer: string): LayerGroup | null {
    const group = this.#root.child(layer);
    if (group === null) return null;
    const index = new Map<string, NamedWeight[]>();
    for (const path of weightNames(group)) {
      const parts = path.replace(/:\d+$/, '').split('/');
      const name = parts.pop() ?? '';
      for (const key of [name, ...new Set(parts.map((part) => `${part}/${name}`))]) {
        const list = index.get(key) ?? [];
        list.push({ path, parts });
        index.set(key, list);
      }
    }
    return { group, index };
  }
}

/** Long lists of names are split over attributes with a number behind the name. */
function weightNames(group: Hdf5Object): string[] {
  const whole = group.texts('weight_names');
  if (whole !== null) return whole;
  const names: string[] = [];
  for (let part = 0, more = group.texts('weight_names0'); more !== null; more = group.texts(`weight_names${part}`)) {
    names.push(...more);
    part++;
  }
  return names;
}

/**
 * The scope of each layer of a network. Folders are named after the class in snake case, with a number from the second on; the
 * functions that Keras puts between layers have none. `Sequential` does not count its input layer, which has no variables anyway.
 */
export function scopesOf(network: Network, outer: WeightScope): Map<LayerConfig, WeightScope> {
  const used = new Map<string, number>();
  const scopes = new Map<LayerConfig, WeightScope>();
  for (const layer of network.layers) {
    if (layer.type.startsWith('function:')) continue;
    const base = snakeCase(layer.type.split('>').at(-1) ?? layer.type);
    const count = used.get(base) ?? 0;
    used.set(base, count + 1);
    const folder = `${outer.folder === '' ? '' : `${outer.folder}/`}layers/${count === 0 ? base : `${base}_${count}`}`;
    scopes.set(layer, { names: [...outer.names, layer.name], folder });
  }
  return scopes;
}

/** `to_snake_case` of Keras (`naming.py`): Conv2D is conv2d, ReLU is re_lu. */
export function snakeCase(name: string): string {
  return name
    .replace(/\W+/g, '')
    .replace(/(.)([A-Z][a-z]+)/g, '$1_$2')
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase();
}
