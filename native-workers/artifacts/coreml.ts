/**
 * Core ML: an ML Program in an `.mlpackage`, for iOS 15 to 26 and macOS of the same years. Core ML itself runs on Apple's
 * systems only; elsewhere the package is read back and run on ONNX Runtime, which the report says in these words.
 */
import { join } from 'node:path';
import { type Attempt, convert, refusalError } from '../formats/coreml/convert.ts';
import type { ConvertOptions, NamedFeature } from '../formats/coreml/features.ts';
import { prepare } from '../formats/coreml/prepare.ts';
import type { MilFunction } from '../formats/coreml/program.ts';
import { TARGETS } from '../formats/coreml/schema.ts';
import { writePackage } from '../formats/coreml/write-package.ts';
import { quantizationOf } from '../graph/inspect-quantization.ts';
import type { Model } from '../graph/model.ts';
import { HoneError } from '../protocol/errors.ts';
import type { Preprocess } from '../protocol/request.ts';
import { COREML, type CoremlOptions } from './coreml-options.ts';
import { artifactName } from './file-name.ts';
import type { ArtifactOperator, ArtifactTarget, SignatureValue, TargetContext } from './target.ts';

/**
 * float32: the same arithmetic in another order. float16 keeps 11 bits, a rounding of 5e-4 at most in each of some hundred
 * layers, which adds up as their root: 1e-2. Compressed weights add their own steps: half of 1/127 of the largest weight of a
 * channel for int8, much more for 16 values. Whether that is good enough is for the metric on the user's data to say.
 */
const FLOAT32_TOLERANCE = 1e-4;
const FLOAT16_TOLERANCE = 1e-2;
const WEIGHTS_TOLERANCE: Readonly<Record<CoremlOptions['weights'], number>> = {
  none: 0,
  int8: 0.05,
  palette8: 0.05,
  palette6: 0.15,
  palette4: 0.5,
  int4: 0.5,
};

/** Integers differ by more than rounding only where floats were rounded before: none here is quantized. */
const STEPS = 3;

export function toleranceOf(options: Pick<CoremlOptions, 'precision' | 'weights'>): { float: number; steps: number } {
  const float = options.precision === 'float16' ? FLOAT16_TOLERANCE : FLOAT32_TOLERANCE;
  return { float: float + WEIGHTS_TOLERANCE[options.weights], steps: STEPS };
}

export const coreml: ArtifactTarget<CoremlOptions> = {
  ...COREML,
  tolerance: { float: FLOAT32_TOLERANCE, steps: STEPS },
  runtimeModule: 'runtimes/coreml-artifact.ts',
  otherRuntimes: [{ title: 'Core ML', module: 'runtimes/coreml-system-artifact.ts' }],

  async coverage(model, options, context) {
    const { nodes, refused } = await attemptOf(model, await chosenFor(model, options, context), context);
    return { nodes, supported: nodes - refused.length, unsupported: refused.map((each) => ({ ...each })) };
  },

  async write(model, folder, asked, context) {
    const options = await chosenFor(model, asked, context);
    const attempt = await attemptOf(model, options, context);
    const converted = attempt.result;
    if (converted === null) throw refusalError(attempt);
    await context.progress(2, 3, 'writing weights');
    const name = `${artifactName(context.source)}.mlpackage`;
    const files = await writePackage(converted.package, join(folder, name));
    const { number, macOS } = TARGETS[options.target];
    return {
      path: name,
      files: files.map((file) => join(name, file)),
      requires: { iOS: String(number), macOS: String(macOS) },
      notes: [...notesOf(options, converted.inputs), ...converted.notes],
      operators: () => operatorsOf(converted.package.main),
      signature: { inputs: converted.inputs.map(signatureValue), outputs: converted.outputs.map(signatureValue) },
      tolerance: toleranceOf(options),
    };
  },

  referenceOptions() {
    // The program keeps each rounding where the model has it; fused kernels of this machine round elsewhere.
    return { optimization: 'disabled' };
  },
};

function signatureValue({ source, feature }: NamedFeature): SignatureValue {
  const { dtype, shape } = feature.type;
  const picture = feature.image === undefined ? {} : ({ isPicture: true, pixels: feature.image.pixels } as const);
  return { source, name: feature.name, dtype: dtype === 'int32' ? 'int32' : 'float32', shape, ...picture };
}

/** Constants are no operators; casts of float16 and those of inputs and outputs are for no node of the model. */
function operatorsOf({ operations }: MilFunction): ArtifactOperator[] {
  return operations.map(({ type, outputs, source = '' }, index) => ({
    index,
    type,
    outputs: outputs.map(({ name }) => name),
    sources: source === '' ? [] : [source],
  }));
}

/** Options with nothing left to choose. */
type Chosen = CoremlOptions & { readonly target: keyof typeof TARGETS; readonly precision: 'float16' | 'float32' };

/** iOS 15 lacks float16 at the ends of a model; what iOS 26 brought, programs here do not use. */
const AUTOMATIC = ['iOS16', 'iOS17', 'iOS18'] as const;

/** What `auto` came out as for each model. */
const choices = new WeakMap<Model, { readonly asked: string; readonly chosen: Chosen }>();

/**
 * The target: the oldest system for which nothing is refused and weights in blocks stay so, else that for which least is
 * refused. The precision: float16 rounds the scales
 * of quantized activations to 11 bits, which moved outputs of the models of the tests by up to 52 steps; float32 by none.
 */
async function chosenFor(model: Model, asked: CoremlOptions, context: TargetContext): Promise<Chosen> {
  const key = JSON.stringify(asked);
  const known = choices.get(model);
  if (known?.asked === key) return known.chosen;
  const usual = quantizationOf(model).has('QDQ') ? 'float32' : 'float16';
  const precision = asked.precision === 'auto' ? usual : asked.precision;
  const [oldest, ...newer] = asked.target === 'auto' ? AUTOMATIC : [asked.target];
  let chosen: Chosen = { ...asked, precision, target: oldest };
  let best = newer.length === 0 ? null : await attemptOf(model, chosen, context);
  for (const target of newer) {
    if (best === null || isNoBetterFor(TARGETS[target].number, best)) continue;
    const attempt = await attemptOf(model, { ...chosen, target }, context);
    const isBetter = attempt.refused.length < best.refused.length;
    const isSmaller = best.smallerFrom !== null && attempt.smallerFrom === null;
    if (!isBetter && !(isSmaller && attempt.refused.length === best.refused.length)) continue;
    chosen = { ...chosen, target };
    best = attempt;
  }
  choices.set(model, { asked: key, chosen });
  return chosen;
}

/** Nothing is refused, and no weight would be smaller. */
function isNoBetterFor(target: number, { refused, smallerFrom }: Attempt): boolean {
  return refused.length === 0 && (smallerFrom === null || target < smallerFrom);
}

/** The last conversion of each model: coverage is the conversion itself, and writing follows it. */
const attempts = new WeakMap<Model, { readonly options: string; readonly attempt: Attempt }>();

async function attemptOf(model: Model, options: Chosen, context: TargetContext): Promise<Attempt> {
  const key = JSON.stringify([options, context.preprocess ?? null]);
  const known = attempts.get(model);
  if (known?.options === key) return known.attempt;
  await context.progress(0, 3, 'preparing the model');
  const sizes = sizesOf(options.sizes);
  const prepared = await prepare(model, context.engine, context.scratch, (dim, _input, axis) => {
    const given = typeof dim === 'string' ? sizes.get(dim) : undefined;
    if (given !== undefined) return given.length === 1 ? (given[0] ?? null) : null;
    return axis === 0 && options.batch > 0 ? options.batch : null;
  });
  await context.progress(1, 3, 'writing operators');
  const { target, precision, weights, largest, labels, author, version, license } = options;
  const image = pictureOf(options, context.preprocess ?? null);
  const attempt = convert(prepared, {
    target,
    precision,
    weights,
    largest,
    sizes,
    metadata: { author, version, license },
    ...(image === null ? {} : { image }),
    ...(labels.length === 0 ? {} : { labels }),
  });
  attempts.set(model, { options: key, attempt });
  return attempt;
}

/** `name=64:128` as sizes by name; a name that stands twice has those of the last. */
function sizesOf(given: readonly string[]): Map<string, number[]> {
  return new Map(
    given.map((text) => {
      const at = text.lastIndexOf('=');
      return [
        text.slice(0, at),
        text
          .slice(at + 1)
          .split(':')
          .map(Number),
      ] as const;
    }),
  );
}

/** What the artifact makes of pixels: as the options say, or as the data is prepared, (pixel * scale - mean) / std. */
function pictureOf(options: CoremlOptions, preprocess: Preprocess | null): NonNullable<ConvertOptions['image']> | null {
  const { image, imageScale, imageBias } = options;
  if (image === 'none') return null;
  if (image !== 'auto') return { color: image, scale: imageScale, bias: imageBias };
  if (preprocess === null)
    throw new HoneError(
      'invalid-options',
      'The preprocessing of the pictures is not known: give it, or set image, imageScale and imageBias.',
    );
  const { color = 'rgb', scale = 1 / 255, mean = [], std = [] } = preprocess;
  const channels = Math.max(mean.length, std.length, 1);
  const deviation = (channel: number): number => std[std.length === 1 ? 0 : channel] ?? 1;
  const each = Array.from({ length: channels }, (_, channel) => channel);
  return {
    color,
    scale: each.map((channel) => scale / deviation(channel)),
    bias: each.map((channel) => -(mean[mean.length === 1 ? 0 : channel] ?? 0) / deviation(channel)),
  };
}

function notesOf(options: Chosen, inputs: readonly NamedFeature[]): string[] {
  const { number, macOS } = TARGETS[options.target];
  const notes = [
    `Loads on iOS ${number}, iPadOS ${number}, macOS ${macOS} and newer.`,
    'Checked by reading the package back and running its MIL on ONNX Runtime, not on Core ML: try it on a device before shipping.',
    "Core AI (.aimodel, iOS 27) is made by Apple's own converters only; Hone cannot write it. Keep the ONNX model for them.",
  ];
  if (options.precision === 'float32')
    notes.push('The Neural Engine computes in float16 only: in float32 this one runs on the CPU and the GPU.');
  if (options.weights !== 'none')
    notes.push(`Large weights are stored as ${options.weights}; measure the metric on your own data.`);
  if (inputs.some(({ feature }) => feature.enumerated !== undefined))
    notes.push(`Sizes that it takes: ${options.sizes.join(', ')}.`);
  if (inputs.some(({ feature }) => feature.range !== undefined))
    notes.push(
      `Open dimensions run from 1 to ${options.largest}; open shapes often keep a model off the Neural Engine.`,
    );
  if (options.image !== 'none')
    notes.push('The first input is a picture of pixels 0 to 255; scale and bias are inside the model.');
  if (options.labels.length > 0)
    notes.push('classProbabilities is the softmax of the first output; classLabel is its first class.');
  return notes;
}
