/** Inputs and outputs of a program, with what apps see of them: names, flexible shapes, pictures, classes. */
import type { Value } from '../../graph/value.ts';
import { HoneError } from '../../protocol/errors.ts';
import { numbersConstant } from './constants.ts';
import { internalDType, type Lowering, type LoweringOptions } from './lower/lowering.ts';
import { Refusal } from './lower/terms.ts';
import type { Names } from './names.ts';
import { type ImageFeature, type MilFeature, type MilFunction, type MilType, MilValue, stringList } from './program.ts';
import type { Target } from './schema.ts';

export interface ConvertOptions {
  readonly target: Target;
  readonly precision: 'float16' | 'float32';
  readonly weights: LoweringOptions['weights'];
  /** The most of a dimension that stays open. */
  readonly largest: number;
  /** The first input becomes a picture; its pixels, 0 to 255, are multiplied by `scale` and `bias` of each channel is added. */
  readonly image?: {
    readonly color: ImageFeature['color'];
    /** Of each channel, or one for all. */
    readonly scale: readonly number[];
    readonly bias: readonly number[];
  };
  /** Sizes that open dimensions of a name may have; those with one are fixed already. */
  readonly sizes?: ReadonlyMap<string, readonly number[]>;
  readonly metadata?: { readonly author: string; readonly version: string; readonly license: string };
  /** Class names: the first output becomes the probabilities of a classifier. */
  readonly labels?: readonly string[];
}

/** How a value of the source is called in the artifact. */
export interface NamedFeature {
  readonly source: string;
  readonly feature: MilFeature;
}

export function graphInput(
  value: Value,
  lowering: Lowering,
  main: MilFunction,
  options: ConvertOptions,
  isFirst: boolean,
): NamedFeature {
  const { dtype, shape } = lowering.type(value);
  const internal = internalDType(dtype);
  const isScalar = shape.length === 0;
  // Arrays of apps have at least one dimension and are floats or int32.
  const type: MilType = { dtype: internal === 'bool' ? 'int32' : internal, shape: isScalar ? [1] : shape };
  const input = new MilValue(lowering.names.unique(value.name), type);
  main.inputs.push(input);
  let inside = input;
  if (isScalar)
    inside = lowering.op('squeeze', { x: inside, axes: lowering.ints([0], 'axes') }, { ...type, shape: [] });
  if (internal === 'bool') inside = lowering.cast(inside, 'bool');
  const open = shape.some((dim) => dim === null);
  const range = shape.map((dim): [number, number] => (dim === null ? [1, options.largest] : [dim, dim]));
  const enumerated = open ? enumeratedOf(value, shape, options.sizes) : null;
  const flexible = enumerated === null ? { range } : { enumerated };
  let feature: MilFeature = {
    name: input.name,
    type,
    ...(open ? flexible : {}),
    description: `${dtype} '${value.name}' of the source model`,
  };
  if (isFirst && options.image !== undefined) {
    const { color } = options.image;
    feature = {
      ...feature,
      image: imageOf(shape, options.image),
      description: `${color === 'gray' ? 'Grayscale' : color.toUpperCase()} picture, '${value.name}' of the source model`,
    };
    inside = preprocessed(inside, lowering, options.image);
  }
  lowering.set(value, inside);
  return { source: value.name, feature };
}

/** The shapes of an input whose open dimensions have sizes to choose from; null when one of them has none. */
function enumeratedOf(
  value: Value,
  shape: readonly (number | null)[],
  sizes: ConvertOptions['sizes'],
): number[][] | null {
  const symbols = value.type?.kind === 'tensor' ? (value.type.shape ?? []) : [];
  const choices = shape.map((dim, axis) => {
    const symbol = symbols[axis];
    return dim !== null ? null : typeof symbol === 'string' ? (sizes?.get(symbol) ?? []) : [];
  });
  const counts = choices.flatMap((choice) => (choice === null ? [] : [choice.length]));
  const [count = 0] = counts;
  if (count === 0 || counts.includes(0)) return null;
  if (counts.some((other) => other !== count))
    throw new HoneError('invalid-options', `Open dimensions of '${value.name}' must have as many sizes each.`);
  return Array.from({ length: count }, (_, at) => shape.map((dim, axis) => dim ?? choices[axis]?.[at] ?? 1));
}

function imageOf(
  shape: readonly (number | null)[],
  { color, scale, bias }: NonNullable<ConvertOptions['image']>,
): ImageFeature {
  const [batch, channels, height, width] = shape;
  const expected = color === 'gray' ? 1 : 3;
  if (
    shape.length !== 4 ||
    batch !== 1 ||
    channels !== expected ||
    typeof height !== 'number' ||
    typeof width !== 'number'
  ) {
    throw new Refusal(`a ${color} picture needs an input of shape [1, ${expected}, height, width]`);
  }
  const isFit = (numbers: readonly number[]): boolean => numbers.length <= 1 || numbers.length === expected;
  if (!isFit(scale) || !isFit(bias) || scale.includes(0))
    throw new HoneError(
      'invalid-options',
      `Scale and bias of a ${color} picture are one number or ${expected}, no scale 0.`,
    );
  return { width, height, color, pixels: { scale, bias } };
}

function preprocessed(
  x: MilValue,
  lowering: Lowering,
  { scale, bias }: NonNullable<ConvertOptions['image']>,
): MilValue {
  const byChannel = (numbers: readonly number[], hint: string): MilValue =>
    numbers.length === 1
      ? lowering.float(numbers[0] ?? 0, hint)
      : lowering.floats(numbers, [1, numbers.length, 1, 1], hint);
  const scaled = scale.every((value) => value === 1) ? x : lowering.binary('mul', x, byChannel(scale, 'image_scale'));
  if (bias.every((value) => value === 0)) return scaled;
  return lowering.binary('add', scaled, byChannel(bias, 'image_bias'));
}

export function graphOutput(value: Value, lowering: Lowering, main: MilFunction): NamedFeature {
  let result = lowering.value(value);
  if (result.type.dtype === 'bool') result = lowering.cast(result, 'int32');
  if (result.type.dtype === 'int8' || result.type.dtype === 'uint8') result = lowering.cast(result, 'int32');
  if (result.type.shape.length === 0)
    result = lowering.op(
      'expand_dims',
      { x: result, axes: lowering.ints([0], 'axes') },
      { ...result.type, shape: [1] },
    );
  const isMade =
    main.operations.some((operation) => operation.outputs.includes(result)) && !main.outputs.includes(result);
  // A function gives what its operations made: inputs and constants go through one.
  if (!isMade) result = lowering.op('identity', { x: result }, result.type);
  main.outputs.push(result);
  const description = `'${value.name}' of the source model`;
  return { source: value.name, feature: { name: result.name, type: result.type, description } };
}

/** The last operation of a classifier: class and probabilities from the first output, which stays an output too. */
export function classify(main: MilFunction, names: Names, outputs: readonly NamedFeature[], labels: readonly string[]) {
  const scores = main.outputs[0];
  const count = scores?.type.shape.reduce<number>((product, dim) => product * (dim ?? Number.NaN), 1);
  if (scores === undefined || scores.type.dtype !== 'fp32' || count !== labels.length) {
    throw new HoneError(
      'invalid-options',
      `The first output holds ${count ?? 0} values and there are ${labels.length} labels: it is no classifier of them.`,
    );
  }
  const axis = new MilValue(
    names.unique('class_axis'),
    { dtype: 'int32', shape: [] },
    numbersConstant('int32', [-1], []),
  );
  const probabilities = new MilValue(names.unique(`${outputs[0]?.feature.name ?? 'output'}_softmax`), scores.type);
  main.operations.push({
    type: 'softmax',
    inputs: new Map([
      ['x', [scores]],
      ['axis', [axis]],
    ]),
    outputs: [probabilities],
  });
  const label = new MilValue(names.unique('classLabel'), { dtype: 'string', shape: [] });
  const scored = new MilValue(names.unique('classProbabilities'), {
    dtype: 'string',
    shape: [],
    container: 'dictionary',
  });
  main.operations.push({
    type: 'classify',
    inputs: new Map([
      ['probabilities', [probabilities]],
      ['classes', [stringList(labels)]],
    ]),
    outputs: [label, scored],
  });
  main.outputs.push(label, scored);
  return {
    predicted: { label: label.name, probabilities: scored.name },
    features: [label, scored].map(({ name, type }): MilFeature => ({ name, type })),
  };
}
