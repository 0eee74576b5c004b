/** One layer as its raising sees it: its options with Keras's defaults, its weights, and what it is called with. */
import { byteLength, isFloat } from '../../../graph/dtype.ts';
import { lateTensor } from '../../../graph/late-tensor.ts';
import type { Tensor } from '../../../graph/tensor.ts';
import { toFloat32 } from '../../../graph/tensor-values.ts';
import type { Argument, LayerConfig } from '../config.ts';
import { field, type Json, listOf, recordOf, textOf } from '../json.ts';
import type { WeightScope, WeightStore } from '../weights.ts';
import type { GraphBuilder, KerasTensor, Layout } from './builder.ts';

/** An argument of a call with the tensors in place. */
export type Given = KerasTensor | readonly Given[] | { readonly plain: Json };

export interface Inputs {
  readonly args: readonly Given[];
  readonly named: ReadonlyMap<string, Given>;
  /** All tensors among the arguments, in order. */
  readonly tensors: readonly KerasTensor[];
}

/** Adds the ONNX nodes of one call of a layer. Throws `operator-unsupported` with the reason. */
export type Raise = (layer: Layer, inputs: Inputs, builder: GraphBuilder) => KerasTensor | KerasTensor[];

export class Layer {
  readonly type: string;
  /** Unique in the model: the names of the models around it before its own. */
  readonly name: string;
  readonly settings: LayerConfig;
  /** 2 or 3: hard_sigmoid is another function since Keras 3. */
  readonly version: number;
  readonly builder: GraphBuilder;
  readonly #scope: WeightScope;
  readonly #weights: WeightStore;

  constructor(
    settings: LayerConfig,
    name: string,
    scope: WeightScope,
    weights: WeightStore,
    version: number,
    builder: GraphBuilder,
  ) {
    this.settings = settings;
    this.type = settings.type;
    this.name = name;
    this.version = version;
    this.builder = builder;
    this.#scope = scope;
    this.#weights = weights;
  }

  option(name: string): Json | undefined {
    return field(this.settings.config, name);
  }

  number(name: string, fallback: number): number {
    const value = this.option(name);
    return typeof value === 'number' ? value : fallback;
  }

  /** A number that must be there. */
  required(name: string): number {
    const value = this.option(name);
    if (typeof value !== 'number') throw this.builder.corrupt(`has no ${name}.`);
    return value;
  }

  flag(name: string, fallback: boolean): boolean {
    const value = this.option(name);
    return typeof value === 'boolean' ? value : fallback;
  }

  text(name: string, fallback: string): string {
    return textOf(this.option(name)) ?? fallback;
  }

  /** A list of numbers, or null. */
  list(name: string): number[] | null {
    const list = listOf(this.option(name));
    return list?.every((item): item is number => typeof item === 'number') === true ? [...list] : null;
  }

  /** One integer, of at least `least`, for each spatial dimension: given so, or once for all. */
  sizes(name: string, rank: number, fallback: number, least = 1): number[] {
    const given = this.option(name);
    const list = typeof given === 'number' ? new Array<number>(rank).fill(given) : this.list(name);
    const sizes = list ?? new Array<number>(rank).fill(fallback);
    if (sizes.length !== rank || !sizes.every((size) => Number.isSafeInteger(size) && size >= least))
      throw this.builder.corrupt(`has ${name} that are no ${rank} sizes.`);
    return sizes;
  }

  /** Where the channels of the layer's input are to be had: moved for channels last, as they stand for channels first. */
  get layout(): Layout {
    return this.text('data_format', 'channels_last') === 'channels_first' ? 'keras' : 'first';
  }

  /** Python code is never run, so a function that is none of Keras's own is refused by its name. */
  get activation(): Json {
    return this.option('activation') ?? 'linear';
  }

  /** A weight as float32, which must have `rank` dimensions. Throws `file-corrupt` when the file has none of that name. */
  weight(name: string, order: readonly string[], rank: number | null = null): Tensor {
    const found = this.#weights.find(this.#scope, name, order);
    if (found === null) throw this.builder.corrupt(`has no weight ${name} in the file.`);
    if (rank !== null && found.shape.length !== rank)
      throw this.builder.corrupt(
        `has a ${name} of shape [${found.shape.join(', ')}], and ${rank} dimensions are needed.`,
      );
    const tensor = asFloat32(found);
    if (tensor === null) throw this.builder.unsupported(`has weights of ${found.dtype}, which Hone does not read.`);
    return tensor;
  }

  hasWeight(name: string, order: readonly string[]): boolean {
    return this.#weights.find(this.#scope, name, order) !== null;
  }

  /** A part with weights of its own: `folder` as Keras 3 files have it, `name` as it stands in the names of Keras 2. */
  part(folder: string, name: string | null, settings: LayerConfig = this.settings): Layer {
    const scope: WeightScope = {
      names: name === null ? this.#scope.names : [...this.#scope.names, name],
      folder: `${this.#scope.folder}/${folder}`,
    };
    return new Layer(settings, this.name, scope, this.#weights, this.version, this.builder);
  }

  /** The scope for the layers of a model that is used as a layer. */
  get scope(): WeightScope {
    return this.#scope;
  }

  get weights(): WeightStore {
    return this.#weights;
  }
}

/** The tensor that a layer of one input is called with. */
export function onlyInput(inputs: Inputs, builder: GraphBuilder): KerasTensor {
  const [only] = inputs.tensors;
  if (only === undefined) throw builder.corrupt('is called without a tensor.');
  return only;
}

export function isTensor(given: Given | undefined): given is KerasTensor {
  return given !== undefined && 'forms' in given;
}

/** A plain argument; undefined for tensors and for what is not given. */
export function plainOf(given: Given | undefined): Json | undefined {
  return given !== undefined && 'plain' in given ? given.plain : undefined;
}

/** The tensors in arguments, in order. */
export function* tensorsIn(given: readonly Given[]): Iterable<KerasTensor> {
  for (const item of given) {
    if (isTensor(item)) yield item;
    else if (!('plain' in item)) yield* tensorsIn(item);
  }
}

export function giveArgument(
  argument: Argument,
  find: (reference: Argument & { kind: 'tensor' }) => KerasTensor,
): Given {
  if (argument.kind === 'plain') return { plain: argument.value };
  if (argument.kind === 'list') return argument.items.map((item) => giveArgument(item, find));
  return find(argument);
}

/** The name and the options of something that Keras writes as a name, or as a class with a configuration. */
export function namedObject(value: Json): { readonly name: string; readonly config: Json } {
  const record = recordOf(value);
  if (record === null) return { name: textOf(value) ?? 'linear', config: null };
  const config = field(record, 'config') ?? null;
  const className = textOf(field(record, 'class_name')) ?? '?';
  // A function is written with its name as its configuration.
  if (className === 'function') return { name: textOf(config) ?? '?', config: null };
  return { name: className, config };
}

/** Float weights as float32, converted when they are read; null for what is no float. */
function asFloat32(tensor: Tensor): Tensor | null {
  const { dtype, shape } = tensor;
  if (dtype === 'float32') return tensor;
  if (!isFloat(dtype)) return null;
  return lateTensor('float32', shape, byteLength('float32', tensor.size), () => {
    const values = toFloat32(tensor);
    return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  });
}
