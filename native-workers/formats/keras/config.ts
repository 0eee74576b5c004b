/**
 * The configuration of a Keras model as one form: a network of layers, each with the calls that were made of it. Keras 2 and 3
 * write the calls differently, and a Sequential model has none, since each of its layers is called with the one before.
 *
 * Sources: `Functional.get_config` and `Sequential.get_config` of Keras 3 and tf_keras; `serialize_keras_object`.
 */
import { HoneError } from '../../protocol/errors.ts';
import { field, isList, isRecord, type Json, type JsonRecord, listOf, recordOf, textOf } from './json.ts';

/** Output `tensor` of call `call` of a layer. */
export interface TensorReference {
  readonly kind: 'tensor';
  readonly layer: string;
  readonly call: number;
  readonly tensor: number;
}

/** What a layer is called with: tensors, lists of them, and plain values. */
export type Argument = TensorReference | { readonly kind: 'list'; readonly items: readonly Argument[] } | Plain;
interface Plain {
  readonly kind: 'plain';
  readonly value: Json;
}

export interface Call {
  readonly args: readonly Argument[];
  readonly named: ReadonlyMap<string, Argument>;
}

export interface LayerConfig {
  /** `Conv2D`; functions of Keras and TensorFlow that stand between layers are `function:Multiply`. */
  readonly type: string;
  readonly name: string;
  readonly config: JsonRecord;
  readonly calls: readonly Call[];
  /** The number by which others refer to the first call. */
  readonly firstCall: number;
  /** The layers inside, for a model used as a layer. */
  readonly network: Network | null;
}

export interface Network {
  readonly name: string;
  readonly layers: readonly LayerConfig[];
  readonly inputs: readonly TensorReference[];
  readonly outputs: readonly TensorReference[];
}

/** Models in models deeper than this are taken for hostile. */
const MOST_DEPTH = 32;
/** Lists in lists of a model that is no deeper: below that, the functions here may call themselves. */
const MOST_NESTING = 512;
const MODELS: ReadonlySet<string> = new Set(['Functional', 'Model', 'Sequential']);

/** Parses `config.json` or `model_config`. Throws `file-corrupt`, and `operator-unsupported` for a model that is Python code. */
export function parseModel(text: string, path: string): Network {
  const parser = new Parser(path);
  let parsed: Json;
  try {
    parsed = JSON.parse(text) as Json;
  } catch (thrown) {
    throw new HoneError('file-corrupt', 'The configuration of the model is no valid JSON.', {
      where: { file: path },
      cause: thrown,
    });
  }
  if (nesting(text) > MOST_NESTING) throw parser.corrupt('The configuration holds lists in lists without end.');
  const root = recordOf(parsed);
  if (root === null) throw parser.corrupt('The configuration of the model is no record.');
  const type = textOf(field(root, 'class_name')) ?? '?';
  if (!MODELS.has(type)) {
    throw new HoneError(
      'operator-unsupported',
      `The model is of the class ${type}, which is Python code that Hone never runs. Build it with the functional API and save it again, or export it to ONNX.`,
      { where: { file: path } },
    );
  }
  return parser.network(root, 0);
}

/** A layer that another layer holds in its configuration (the one that Bidirectional runs twice); null when there is none. */
export function innerLayer(value: Json | undefined, path: string): LayerConfig | null {
  const record = recordOf(value);
  return record === null ? null : new Parser(path).layer(record, MOST_DEPTH - 1, []);
}

/** How deep records and lists of a valid JSON text lie in each other. */
function nesting(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (const [mark] of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{}]/g)) {
    if (mark === '[' || mark === '{') deepest = Math.max(deepest, ++depth);
    else if (mark === ']' || mark === '}') depth--;
  }
  return deepest;
}

class Parser {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  corrupt(message: string): HoneError {
    return new HoneError('file-corrupt', message, { where: { file: this.#path } });
  }

  network(record: JsonRecord, depth: number): Network {
    if (depth > MOST_DEPTH) throw this.corrupt('The model holds models in models without end.');
    const given = field(record, 'config');
    // Before Keras 2.2.3 the configuration of a Sequential model was the list of its layers.
    const config: JsonRecord = isList(given) ? { layers: given } : (recordOf(given) ?? {});
    const listed = listOf(field(config, 'layers'));
    if (listed === null) throw this.corrupt('The configuration of the model lists no layers.');
    const name = textOf(field(config, 'name')) ?? 'model';
    if (textOf(field(record, 'class_name')) === 'Sequential') return this.#sequential(name, config, listed, depth);
    const layers = listed.map((item) => this.layer(this.#record(item), depth));
    const inputs = this.#references(field(config, 'input_layers'));
    const outputs = this.#references(field(config, 'output_layers'));
    return { name, layers: withFirstCalls(layers, outputs), inputs, outputs };
  }

  #sequential(name: string, config: JsonRecord, listed: readonly Json[], depth: number): Network {
    const records = listed.map((item) => this.#record(item));
    const first = records[0];
    if (first === undefined) throw this.corrupt('The model has no layers.');
    const layers: LayerConfig[] = [];
    if (textOf(field(first, 'class_name')) !== 'InputLayer') layers.push(this.#impliedInput(name, config, first));
    for (const record of records) {
      const before = layers.at(-1);
      const args: Argument[] = before === undefined ? [] : [{ kind: 'tensor', layer: before.name, call: 0, tensor: 0 }];
      layers.push(this.layer(record, depth, before === undefined ? [] : [{ args, named: new Map() }]));
    }
    const reference = (layer: LayerConfig | undefined): TensorReference => ({
      kind: 'tensor',
      layer: layer?.name ?? '',
      call: 0,
      tensor: 0,
    });
    return { name, layers, inputs: [reference(layers[0])], outputs: [reference(layers.at(-1))] };
  }

  /** A Sequential model without an input layer says the shape in its first layer (Keras 2) or when it was built (Keras 3). */
  #impliedInput(name: string, config: JsonRecord, first: JsonRecord): LayerConfig {
    const inner = recordOf(field(first, 'config')) ?? {};
    const firstOfModel = listOf(field(inner, 'layers'))?.[0];
    const nested = recordOf(field(recordOf(firstOfModel) ?? {}, 'config')) ?? {};
    const shape = [
      field(inner, 'batch_input_shape'),
      field(inner, 'batch_shape'),
      field(config, 'build_input_shape'),
      field(recordOf(field(first, 'build_config')) ?? {}, 'input_shape'),
      field(nested, 'batch_input_shape'),
      field(nested, 'batch_shape'),
    ].find(isList);
    if (shape === undefined) {
      throw new HoneError(
        'format-unsupported',
        'The model was saved before it knew the shape of its input. Call it once on data in Keras, and save it again.',
        { where: { file: this.#path } },
      );
    }
    const dtype = textOf(field(inner, 'dtype')) ?? 'float32';
    return {
      type: 'InputLayer',
      name: `${textOf(field(inner, 'name')) ?? name}_input`,
      config: { batch_shape: shape, dtype },
      calls: [],
      firstCall: 0,
      network: null,
    };
  }

  /** `calls`: those of a layer in a Sequential model; elsewhere the layer says them itself. */
  layer(record: JsonRecord, depth: number, calls: readonly Call[] | null = null): LayerConfig {
    const config = recordOf(field(record, 'config')) ?? {};
    const className = textOf(field(record, 'class_name')) ?? '?';
    const name = textOf(field(record, 'name')) ?? textOf(field(config, 'name')) ?? className;
    const type = layerType(className, textOf(field(record, 'module')) ?? '', config, record);
    const network = MODELS.has(className) ? this.network(record, depth + 1) : null;
    return { type, name, config, calls: calls ?? this.#calls(record, type), firstCall: 0, network };
  }

  #calls(record: JsonRecord, type: string): Call[] {
    const nodes = listOf(field(record, 'inbound_nodes')) ?? [];
    // An operator of TensorFlow between layers is called with one tensor, and then has one list less.
    const isBare = type.startsWith('function:') && nodes.some((node) => textOf(listOf(node)?.[0]) !== null);
    return nodes.map((node) => {
      if (isRecord(node)) return this.#call(node);
      const list = listOf(node);
      if (list === null) throw this.corrupt('A layer is called with what is no list.');
      return isBare ? this.#oldCall([list]) : this.#oldCall(list);
    });
  }

  /** Keras 3: `{ args, kwargs }`, with tensors as records. */
  #call(node: JsonRecord): Call {
    const args = listOf(field(node, 'args')) ?? [];
    const named = Object.entries(recordOf(field(node, 'kwargs')) ?? {});
    return {
      args: args.map((item) => this.#argument(item)),
      named: new Map(named.map(([key, value]) => [key, this.#argument(value)])),
    };
  }

  #argument(value: Json): Argument {
    if (isList(value)) {
      const items = value.map((item) => this.#argument(item));
      return items.every(({ kind }) => kind === 'plain') ? { kind: 'plain', value } : { kind: 'list', items };
    }
    if (isRecord(value) && field(value, 'class_name') === '__keras_tensor__') {
      return this.#reference(field(recordOf(field(value, 'config')) ?? {}, 'keras_history'));
    }
    return { kind: 'plain', value };
  }

  /** Keras 2: a list of `[layer, call, tensor, named]`; several are one argument that is a list. */
  #oldCall(list: readonly Json[]): Call {
    const items = list.map((item): Argument => {
      const parts = listOf(item) ?? [];
      if (parts[0] === '_CONSTANT_VALUE') return { kind: 'plain', value: parts[2] ?? null };
      return this.#reference(item);
    });
    const named = recordOf(listOf(list[0])?.[3]) ?? {};
    const argument: Argument | undefined = items.length > 1 ? { kind: 'list', items } : items[0];
    return {
      args: argument === undefined ? [] : [argument],
      named: new Map(Object.entries(named).map(([key, value]) => [key, this.#oldArgument(value)])),
    };
  }

  #oldArgument(value: Json): Argument {
    const list = listOf(value);
    const isReference =
      list?.length === 3 && typeof list[0] === 'string' && typeof list[1] === 'number' && typeof list[2] === 'number';
    return isReference ? this.#reference(value) : { kind: 'plain', value };
  }

  #reference(value: Json | undefined): TensorReference {
    const [layer, call, tensor] = listOf(value) ?? [];
    if (typeof layer !== 'string' || typeof call !== 'number' || typeof tensor !== 'number')
      throw this.corrupt('The configuration names a tensor that is none.');
    return { kind: 'tensor', layer, call, tensor };
  }

  /** One reference, or a list of them. */
  #references(value: Json | undefined): TensorReference[] {
    const list = listOf(value);
    if (list === null) throw this.corrupt('The configuration does not say the inputs or outputs of a model.');
    return typeof list[0] === 'string' ? [this.#reference(list)] : list.map((item) => this.#reference(item));
  }

  #record(value: Json): JsonRecord {
    const record = recordOf(value);
    if (record === null) throw this.corrupt('The configuration lists a layer that is none.');
    return record;
  }
}

/**
 * In Keras 2 the first call of a model used as a layer is number 1: number 0 made the model itself, and is not in the file. Every
 * call in the file is read by something, so the highest number that is read tells the two apart.
 */
function withFirstCalls(layers: readonly LayerConfig[], outputs: readonly TensorReference[]): LayerConfig[] {
  const highest = new Map<string, number>();
  const given = layers.flatMap(({ calls }) => calls.flatMap(({ args, named }) => [...args, ...named.values()]));
  for (const { layer, call } of referencesIn([...given, ...outputs]))
    highest.set(layer, Math.max(call, highest.get(layer) ?? 0));
  return layers.map((layer) => {
    const isLater = layer.network !== null && (highest.get(layer.name) ?? 0) >= layer.calls.length;
    return isLater ? { ...layer, firstCall: 1 } : layer;
  });
}

/** The tensors in arguments, lists of them included. */
export function* referencesIn(given: readonly Argument[]): Iterable<TensorReference> {
  for (const argument of given) {
    if (argument.kind === 'tensor') yield argument;
    else if (argument.kind === 'list') yield* referencesIn(argument.items);
  }
}

/**
 * What a layer is. Functions are told from layers of the same name by their module (`keras.src.ops.numpy` holds Add too); classes
 * that users registered keep their package in the name (`package>Name`).
 */
function layerType(className: string, module: string, config: JsonRecord, record: JsonRecord): string {
  if (className === 'TFOpLambda' || className === 'SlicingOpLambda')
    return `function:${textOf(field(config, 'function')) ?? '?'}`;
  if (module.startsWith('keras.src.ops') || module.startsWith('keras.ops')) return `function:${className}`;
  // The .h5 files of Keras 3 leave the module out; layers say whether they are trained, or their type, and functions do not.
  const isLayer = ['trainable', 'dtype', 'layers'].some((name) => field(config, name) !== undefined);
  if (module === '' && !isLayer && isRecord(listOf(field(record, 'inbound_nodes'))?.[0]))
    return `function:${className}`;
  const registered = textOf(field(record, 'registered_name'));
  if (registered?.includes('>') === true && !registered.startsWith('keras>') && !registered.startsWith('Keras>'))
    return registered;
  return className;
}
