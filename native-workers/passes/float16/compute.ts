/**
 * Turns the computation of a graph to float16: nodes that can take it do, and casts stand wherever float16 and float32 meet.
 * Only the top graph is turned; the bodies of If, Loop and Scan stay as they are.
 */
import { observe } from '../../calibrate/observe.ts';
import { intAttribute } from '../../graph/attribute.ts';
import { DTYPES } from '../../graph/dtype.ts';
import type { Graph } from '../../graph/graph.ts';
import type { Model } from '../../graph/model.ts';
import type { Node } from '../../graph/node.ts';
import type { ValueType } from '../../graph/types.ts';
import type { Value } from '../../graph/value.ts';
import { toHoneError } from '../../protocol/errors.ts';
import { type Counter, constantsOf, dropIfUnread } from '../edit.ts';
import type { Float16Options } from '../float16.ts';
import type { PassContext, PassNote } from '../pass.ts';
import { HalfWeights, LARGEST_HALF } from './half-weights.ts';

/**
 * Operators that lose too much in float16, or that engines have no float16 kernels for. Source: ONNX Runtime's block list
 * (transformers/float16.py), and the signal operators, whose sums are long.
 */
const SENSITIVE = new Set([
  ...['NonMaxSuppression', 'TopK', 'RoiAlign', 'CumSum', 'Min', 'Max', 'Upsample', 'Multinomial', 'Bernoulli'],
  ...['DFT', 'STFT', 'MelWeightMatrix', 'HannWindow', 'HammingWindow', 'BlackmanWindow'],
]);

/** Operators that set a type of their own, or change it: their float32 output is cast where it is needed. */
const TYPED = new Set([
  ...['Constant', 'ConstantOfShape', 'EyeLike', 'Range', 'Cast', 'CastLike', 'RandomNormal', 'RandomNormalLike'],
  ...['RandomUniform', 'RandomUniformLike', 'QuantizeLinear', 'DequantizeLinear', 'DynamicQuantizeLinear'],
]);

/** Inputs that are float32 by definition: the region and the scales of Resize. */
const FLOAT32_INPUTS: Readonly<Record<string, readonly number[]>> = { Resize: [1, 2] };

/** A value this near to overflow on the calibration data may overflow on other inputs. */
const RANGE_LIMIT = LARGEST_HALF / 2;

export async function computeInHalf(
  model: Model,
  options: Float16Options,
  context: PassContext,
  counts: Counter,
  notes: PassNote[],
): Promise<void> {
  const types = await context.types(model);
  const weights = new HalfWeights(options.maxUnderflow, counts, notes);
  const conversion = new Conversion(model, types, weights, options.keepTypes, counts);
  const tooLarge = await largeValues(model, conversion.activations(), context, notes);
  conversion.run((node) => reasonToKeep(node, conversion, weights, tooLarge, options), notes);
}

/** Why a node stays in float32; null when it need not. Reasons of whole classes of nodes are the same for each, to be counted. */
function reasonToKeep(
  node: Node,
  conversion: Conversion,
  weights: HalfWeights,
  tooLarge: ReadonlyMap<Value, number>,
  options: Float16Options,
): string | null {
  if (options.exclude.includes(node.name) || options.exclude.includes(node.opType)) return 'excluded';
  if (SENSITIVE.has(node.opType)) return `${node.opType} loses too much in float16`;
  for (const value of [...node.inputs, ...node.outputs]) {
    const reached = value === null ? undefined : tooLarge.get(value);
    if (reached !== undefined)
      return `${value?.name} reaches ${reached.toPrecision(4)}; the largest half is ${LARGEST_HALF}`;
  }
  for (const [index, value] of node.inputs.entries()) {
    if (value === null || !conversion.isWeight(value) || isFloat32Input(node, index)) continue;
    if (weights.tensorOf(value) === null) return `its weight ${value.name} does not fit float16`;
  }
  return null;
}

function isFloat32Input(node: Node, index: number): boolean {
  return FLOAT32_INPUTS[node.opType]?.includes(index) ?? false;
}

/** Values that came too near to the largest half, with the largest magnitude seen; empty, with a note, when none could be run. */
async function largeValues(
  model: Model,
  values: readonly Value[],
  context: PassContext,
  notes: PassNote[],
): Promise<Map<Value, number>> {
  const { calibration } = context;
  const found = new Map<Value, number>();
  if (calibration === null) {
    notes.push({
      message: 'Ranges of activations were not measured, for want of inputs: what overflows was not found.',
    });
    return found;
  }
  try {
    const observations = await observe({
      model,
      values,
      channels: new Map(),
      batches: (batchSize) => calibration.batches(batchSize),
      samples: calibration.samples,
      open: (...parameters) => context.open(...parameters),
      progress: (...parameters) => context.progress(...parameters),
      histograms: false,
    });
    for (const [value, { range }] of observations) {
      const reached = Math.max(-range.min, range.max);
      if (reached > RANGE_LIMIT) found.set(value, reached);
    }
  } catch (thrown) {
    const error = toHoneError(thrown);
    if (error.code === 'cancelled') throw error;
    notes.push({ message: `Ranges of activations could not be measured: ${error.message}` });
  }
  return found;
}

/** The float32 values of a graph, and their turning into float16. */
class Conversion {
  readonly #graph: Graph;
  readonly #types: ReadonlyMap<Value, ValueType>;
  readonly #weights: HalfWeights;
  readonly #keepTypes: boolean;
  readonly #counts: Counter;
  readonly #constantOf: ReturnType<typeof constantsOf>;
  /** Values that hold float16 now. */
  readonly #half = new Set<Value>();
  readonly #halfWeights = new Map<Value, Value>();
  readonly #toHalf = new Map<Value, Value>();
  readonly #toFloat = new Map<Value, Value>();

  constructor(
    model: Model,
    types: ReadonlyMap<Value, ValueType>,
    weights: HalfWeights,
    keepTypes: boolean,
    counts: Counter,
  ) {
    this.#graph = model.graph;
    this.#types = types;
    this.#weights = weights;
    this.#keepTypes = keepTypes;
    this.#counts = counts;
    this.#constantOf = constantsOf(model);
  }

  /** Nodes that compute on float32, of known types throughout, and do not set types themselves. */
  candidates(): Node[] {
    return [...this.#graph.nodes].filter((node) => {
      if (node.domain !== '' || TYPED.has(node.opType) || [...node.subgraphs()].length > 0) return false;
      const values = [...node.inputs, ...node.outputs].filter((value) => value !== null);
      return values.every((value) => this.#isTensor(value)) && values.some((value) => this.#isFloat(value));
    });
  }

  /** The float32 values that candidates read or make, but for weights. */
  activations(): Value[] {
    const values = this.candidates().flatMap((node) => [...node.inputs, ...node.outputs]);
    const activations = values.filter((value) => value !== null && this.#isFloat(value) && value.tensor === null);
    return [...new Set(activations)].filter((value) => value !== null);
  }

  isWeight(value: Value): boolean {
    return value.tensor !== null && this.#isFloat(value) && this.#constantOf(value) !== null;
  }

  run(reasonToKeep: (node: Node) => string | null, notes: PassNote[]): void {
    const candidates = this.candidates();
    const turned = candidates.filter((node) => {
      const reason = reasonToKeep(node);
      if (reason !== null) notes.push({ message: `Stays float32: ${reason}.`, node: node.label });
      return reason === null;
    });
    const others = this.#graph.nodes.size - candidates.length;
    if (others > 0) notes.push({ message: `${others} nodes hold no float32, set types themselves, or are not known.` });
    if (!this.#keepTypes) for (const input of this.#graph.inputs) if (this.#isFloat(input)) this.#becomeHalf(input);
    for (const node of turned) {
      for (const output of node.outputs) if (output !== null && this.#isFloat(output)) this.#becomeHalf(output);
    }
    const turnedSet = new Set(turned);
    for (const node of turned) this.#turnInputs(node);
    for (const value of [...this.#half]) this.#restoreFor(value, turnedSet);
    this.#castOutputs();
    for (const weight of this.#halfWeights.keys()) dropIfUnread(this.#graph, weight);
    this.#counts.add('nodes to float16', turned.length);
    this.#counts.add('weights to float16', this.#halfWeights.size);
    this.#counts.add('casts added', this.#toHalf.size + this.#toFloat.size);
  }

  #typeOf(value: Value): ValueType | null {
    return this.#types.get(value) ?? value.type;
  }

  #isTensor(value: Value): boolean {
    const type = this.#typeOf(value);
    return value.tensor !== null || (type?.kind === 'tensor' && type.dtype !== null);
  }

  #isFloat(value: Value): boolean {
    const type = this.#typeOf(value);
    return (value.tensor?.dtype ?? (type?.kind === 'tensor' ? type.dtype : null)) === 'float32';
  }

  #becomeHalf(value: Value): void {
    this.#half.add(value);
    if (value.type?.kind === 'tensor') value.type = { ...value.type, dtype: 'float16' };
  }

  /** Gives a turned node float16 for each float32 input. */
  #turnInputs(node: Node): void {
    node.inputs.forEach((value, index) => {
      if (value === null || this.#half.has(value) || !this.#isFloat(value) || isFloat32Input(node, index)) return;
      node.setInput(index, this.isWeight(value) ? this.#halfWeight(value) : this.#cast(value, 'float16'));
    });
  }

  #halfWeight(value: Value): Value {
    const known = this.#halfWeights.get(value);
    const tensor = this.#weights.tensorOf(value);
    if (known !== undefined || tensor === null) return known ?? value;
    const made = this.#graph.addInitializer(this.#graph.uniqueName(`${value.name}_float16`), tensor);
    this.#halfWeights.set(value, made);
    return made;
  }

  /** Readers of a float16 value that want float32: nodes that were not turned, those in subgraphs, and some inputs. */
  #restoreFor(value: Value, turned: ReadonlySet<Node>): void {
    for (const reader of [...value.consumers]) {
      if (this.#toHalf.get(value)?.producer === reader || this.#toFloat.get(value)?.producer === reader) continue;
      reader.inputs.forEach((input, index) => {
        if (input !== value || (turned.has(reader) && !isFloat32Input(reader, index))) return;
        reader.setInput(index, this.#cast(value, 'float32'));
      });
    }
  }

  /** A graph output keeps its name; its type too, unless the model's own types are to be float16. */
  #castOutputs(): void {
    const { outputs } = this.#graph;
    outputs.forEach((output, index) => {
      const wanted = this.#keepTypes ? 'float32' : 'float16';
      if (!this.#isFloat(output) || this.#half.has(output) === (wanted === 'float16')) return;
      if (this.#graph.inputs.includes(output) || output.tensor !== null) return;
      const cast = this.#cast(output, wanted);
      const { name, type } = output;
      output.name = this.#graph.uniqueName(`${name}_${wanted === 'float32' ? 'float16' : 'float32'}`);
      cast.name = name;
      cast.type = type?.kind === 'tensor' ? { ...type, dtype: wanted } : type;
      outputs[index] = cast;
    });
  }

  /** The value in the other type, cast once for all its readers. */
  #cast(value: Value, to: 'float16' | 'float32'): Value {
    const casts = to === 'float16' ? this.#toHalf : this.#toFloat;
    const known = casts.get(value);
    if (known !== undefined) return known;
    const type = value.type?.kind === 'tensor' ? { ...value.type, dtype: to } : null;
    const made = this.#graph.createValue(`${value.name}_${to}`, type);
    casts.set(value, made);
    this.#graph.addNode({
      opType: 'Cast',
      name: `${value.name}_Cast_${to}`,
      inputs: [value],
      outputs: [made],
      attributes: [['to', intAttribute(DTYPES[to].code)]],
    });
    return made;
  }
}
