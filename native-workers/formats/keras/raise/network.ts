/** Runs through the layers of a network in the order in which their inputs are there, models in models included. */
import { DTYPES, type DType } from '../../../graph/dtype.ts';
import { HoneError } from '../../../protocol/errors.ts';
import {
  type Call,
  innerLayer,
  type LayerConfig,
  type Network,
  referencesIn,
  type TensorReference,
} from '../config.ts';
import { field, type Json, listOf, recordOf, textOf } from '../json.ts';
import { scopesOf, type WeightScope, type WeightStore } from '../weights.ts';
import type { GraphBuilder, KerasTensor, Size } from './builder.ts';
import { giveArgument, type Inputs, Layer, onlyInput, type Raise, tensorsIn } from './layer.ts';
import { findRaise } from './registry.ts';

/** What is the same for all layers of a model. */
export interface Source {
  readonly builder: GraphBuilder;
  readonly weights: WeightStore;
  readonly version: number;
}

interface Step {
  readonly layer: LayerConfig;
  readonly call: Call;
  readonly index: number;
  waiting: number;
}

/** Adds the whole model: its inputs, its layers, its outputs under the names of their layers. */
export function raiseModel(network: Network, source: Source): void {
  const { builder } = source;
  const given = network.inputs.map((reference) => {
    const layer = network.layers.find(({ name }) => name === reference.layer);
    if (layer === undefined) throw unknownTensor(reference, builder);
    return builder.input(layer.name, inputShape(layer, builder), inputType(layer, builder));
  });
  const outputs = raiseNetwork(network, given, '', { names: [], folder: '' }, source);
  network.outputs.forEach((reference, index) => {
    builder.output(reference.layer, outputs[index] as KerasTensor);
  });
}

/** The outputs of a network that is called with `given`. */
function raiseNetwork(
  network: Network,
  given: readonly KerasTensor[],
  prefix: string,
  scope: WeightScope,
  source: Source,
): KerasTensor[] {
  const { builder } = source;
  if (given.length !== network.inputs.length)
    throw builder.corrupt(`is called with ${given.length} tensors and takes ${network.inputs.length}.`);
  const made = new Map<string, readonly KerasTensor[]>();
  network.inputs.forEach(({ layer }, index) => {
    made.set(keyOf(layer, 0), [given[index] as KerasTensor]);
  });
  const find = (reference: TensorReference): KerasTensor => {
    const tensor = made.get(keyOf(reference.layer, reference.call))?.[reference.tensor];
    if (tensor === undefined) throw unknownTensor(reference, builder);
    return tensor;
  };
  const scopes = scopesOf(network, scope);
  for (const { layer, call, index } of inOrder(network, made, builder)) {
    const name = `${prefix}${layer.name}`;
    builder.countCall();
    const args = call.args.map((argument) => giveArgument(argument, find));
    const named = new Map([...call.named].map(([key, argument]) => [key, giveArgument(argument, find)]));
    const inputs: Inputs = { args, named, tensors: [...tensorsIn([...args, ...named.values()])] };
    const own = scopes.get(layer) ?? { names: [layer.name], folder: '' };
    const outputs =
      layer.network !== null
        ? raiseNetwork(layer.network, inputs.tensors, `${name}/`, own, source)
        : builder.inLayer(name, () =>
            raiseLayer(new Layer(layer, name, own, source.weights, source.version, builder), inputs),
          );
    made.set(keyOf(layer.name, index), outputs);
  }
  return network.outputs.map(find);
}

function raiseLayer(layer: Layer, inputs: Inputs): KerasTensor[] {
  const { builder, type } = layer;
  checkPolicy(layer);
  const raise = type === 'TimeDistributed' ? timeDistributed : findRaise(type);
  if (raise === null) throw builder.unsupported(`is of the class ${type}, which Hone does not open.`);
  const made = raise(layer, inputs, builder);
  return Array.isArray(made) ? made : [made];
}

/** Weights that Keras has quantized are no float weights any more. */
function checkPolicy(layer: Layer): void {
  const policy = layer.option('dtype');
  const name = textOf(policy) ?? textOf(field(recordOf(field(recordOf(policy) ?? {}, 'config')) ?? {}, 'name')) ?? '';
  if (/^(int8|int4|float8|gptq|awq)/.test(name) || typeof layer.option('quantization_mode') === 'string')
    throw layer.builder.unsupported(
      'holds weights that Keras has quantized. Save the float model, and quantize it here.',
    );
}

/** A layer for each step: the steps are taken for a larger batch. Products work on the last axis and need no such detour. */
const timeDistributed: Raise = (layer, inputs, builder) => {
  const input = onlyInput(inputs, builder);
  const inner = innerLayer(layer.option('layer'), builder.path);
  if (inner === null) throw builder.corrupt('has no layer inside.');
  const part = layer.part('layer', null, inner);
  const called = (tensor: KerasTensor): Inputs => ({ args: [tensor], named: new Map(), tensors: [tensor] });
  if (inner.type === 'Dense' || inner.type === 'Activation' || inner.type === 'Dropout')
    return raiseLayer(part, called(input));
  const [batch = null, steps = null, ...rest] = input.shape;
  if (steps === null || rest.includes(null)) throw builder.unsupported('repeats a layer over a free number of steps.');
  const flat = builder.reshape(builder.value(input, 'keras'), [null, ...rest]);
  const [result] = raiseLayer(
    part,
    called({ shape: [null, ...rest], dtype: input.dtype, forms: new Map([['keras', flat]]) }),
  );
  if (result === undefined) throw builder.corrupt('has a layer inside that gives nothing.');
  const sizes = result.shape.slice(1);
  if (sizes.includes(null)) throw builder.unsupported('repeats a layer whose result has a free size.');
  const value = builder.reshape(builder.value(result, 'keras'), [null, steps, ...sizes]);
  return builder.result(value, [batch, steps, ...sizes]);
};

const keyOf = (layer: string, call: number): string => `${call}/${layer}`;

function unknownTensor(reference: TensorReference, builder: GraphBuilder): HoneError {
  return new HoneError('file-corrupt', `The configuration names a tensor of ${reference.layer} that nothing makes.`, {
    where: { file: builder.path, node: reference.layer },
  });
}

/** Calls as soon as all that they read is made: Kahn's algorithm, linear in calls and references. */
function* inOrder(network: Network, made: ReadonlyMap<string, unknown>, builder: GraphBuilder): Iterable<Step> {
  const readers = new Map<string, Step[]>();
  const ready: Step[] = [];
  let left = 0;
  for (const layer of network.layers) {
    layer.calls.forEach((call, position) => {
      const index = layer.firstCall + position;
      if (made.has(keyOf(layer.name, index))) return;
      const step: Step = { layer, call, index, waiting: 0 };
      const references = new Set(
        [...referencesIn([...call.args, ...call.named.values()])].map((each) => keyOf(each.layer, each.call)),
      );
      for (const key of references) {
        if (made.has(key)) continue;
        step.waiting++;
        const list = readers.get(key) ?? [];
        list.push(step);
        readers.set(key, list);
      }
      left++;
      if (step.waiting === 0) ready.push(step);
    });
  }
  // From the end, so that layers come in the order of the file where there is a choice.
  ready.reverse();
  for (let step = ready.pop(); step !== undefined; step = ready.pop()) {
    left--;
    yield step;
    for (const reader of (readers.get(keyOf(step.layer.name, step.index)) ?? []).reverse()) {
      if (--reader.waiting === 0) ready.push(reader);
    }
  }
  if (left === 0) return;
  throw new HoneError('graph-cycle', `${left} calls of layers wait for tensors that nothing makes before them.`, {
    where: { file: builder.path },
  });
}

function inputShape(layer: LayerConfig, builder: GraphBuilder): Size[] {
  const given = ['batch_shape', 'batch_input_shape']
    .map((name) => listOf(field(layer.config, name)))
    .find((list) => list !== null);
  const shape = given?.map((size: Json): Size => {
    if (size === null) return null;
    if (typeof size === 'number' && Number.isSafeInteger(size) && size > 0) return size;
    throw sizeError(layer, builder);
  });
  if (shape === undefined || shape.length > 8) throw sizeError(layer, builder);
  return shape;
}

function sizeError(layer: LayerConfig, builder: GraphBuilder): HoneError {
  return new HoneError('file-corrupt', `The input ${layer.name} has no shape.`, {
    where: { file: builder.path, node: layer.name },
  });
}

function inputType(layer: LayerConfig, builder: GraphBuilder): DType {
  const name = textOf(field(layer.config, 'dtype')) ?? 'float32';
  // Models of mixed precision take and compute float32 here; halving them is a pass.
  if (name === 'float16' || name === 'bfloat16' || name === 'float64') return 'float32';
  if (!Object.hasOwn(DTYPES, name) || name === 'string') {
    throw new HoneError('operator-unsupported', `The input ${layer.name} is of ${name}, which Hone does not open.`, {
      where: { file: builder.path, node: layer.name },
    });
  }
  return name as DType;
}
