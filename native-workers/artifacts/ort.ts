/**
 * ONNX Runtime Mobile: the model in ORT format with the operator lists that a reduced build needs. ONNX Runtime writes the
 * format itself; what matters is how it is asked (conversion.md section 3): nothing that fits only this machine's processor
 * may be baked in, and quantized models keep signed activations for ARM.
 *
 * Only minimal and reduced builds need this: the ordinary packages for Android and iOS take the .onnx file with all operators.
 */
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeOnnx } from '../formats/onnx/write.ts';
import { type OrtOperator, ortNodes, readOrtOperators } from '../formats/ort/operators.ts';
import { operatorsConfig } from '../formats/ort/operators-config.ts';
import { openModel } from '../formats/registry.ts';
import { cloneModel } from '../graph/clone.ts';
import type { Model } from '../graph/model.ts';
import type { ValueInfo } from '../lib/engine.ts';
import { HoneError, toHoneError } from '../protocol/errors.ts';
import type { LoadRow } from '../protocol/package-facts.ts';
import { artifactName } from './file-name.ts';
import { stepOf } from './io-quantization.ts';
import { ONNXRUNTIME_SYSTEMS } from './loads.ts';
import { compareVersions, ORT_FORMAT_MINIMUM, onnxRuntimeMinimum } from './onnxruntime-versions.ts';
import { ORT, type OrtOptions } from './ort-options.ts';
import { refusedNodes } from './ort-refusals.ts';
import type { ArtifactTarget, SignatureValue, TargetContext } from './target.ts';

/** A FlatBuffer cannot be larger. */
const MOST_BYTES = 2 ** 31 - 1;

/** One file: nothing is left to choose. */
interface Variant {
  readonly style: 'fixed' | 'runtime';
  readonly platform: 'arm' | 'amd64';
}

export const ort: ArtifactTarget<OrtOptions> = {
  ...ORT,
  tolerance: { float: 1e-4, steps: 3 },
  runtimeModule: 'runtimes/ort-artifact.ts',
  otherRuntimes: [{ title: 'ONNX Runtime Web', module: 'runtimes/onnxruntime-web-artifact.ts' }],

  /** ONNX Runtime writes the file, so what it loads it can write. */
  async coverage(model, _options, { engine, source }) {
    // Before the engine reads all of it.
    refuseTooLarge(model);
    const nodes = [...model.graph.allNodes()].length;
    try {
      await (await engine.open(source)).release();
      return { nodes, supported: nodes, unsupported: [] };
    } catch (thrown) {
      const error = toHoneError(thrown);
      if (error.code !== 'runtime-rejected-model') throw error;
      const unsupported = await refusedNodes(model, error, engine);
      return { nodes, supported: Math.max(0, nodes - unsupported.length), unsupported };
    }
  },

  async write(model, folder, options, context) {
    refuseTooLarge(model);
    const { files, signature, operators } = await writeFiles(context.source, model, folder, options, context);
    const [main, ...variants] = files as [OrtFile, ...OrtFile[]];
    const all = [...operators, ...(await companionOperators(options, context))];
    await writeFile(join(folder, 'required_operators.config'), operatorsConfig(all, false));
    await writeFile(join(folder, 'required_operators_and_types.config'), operatorsConfig(all, true));
    const loads = loadsOf(model, context.engine.version);
    return {
      path: main.path,
      options: main.options,
      variants,
      files: [...files.map(({ path }) => path), 'required_operators.config', 'required_operators_and_types.config'],
      requires: Object.fromEntries(loads.slice(0, 1).map(({ where, minimum }) => [where, minimum])),
      notes: notesOf(model, files),
      signature: { inputs: signature.inputs, outputs: signature.outputs.map((output) => withStep(output, model)) },
      loads,
      operators: async () => ortNodes(await readFile(join(folder, main.path)), main.path),
    };
  },

  referenceOptions({ style, platform }) {
    // ONNX Runtime's full builds leave quantized operators that are kept as records as they are: no fused rounding.
    return { config: platformConfig(platform), ...(style === 'runtime' ? { optimization: 'basic' } : {}) };
  },
};

/**
 * Old models list their weights as inputs with defaults. ONNX Runtime folds some of these away and keeps the inputs, which the
 * saved file then demands; and it folds nothing that an input may replace. Such a model is written again to `path` without.
 */
async function withoutDefaults(source: string, model: Model, path: string): Promise<string> {
  if (!model.graph.inputs.some((input) => input.isConstant)) return source;
  const { model: copy } = cloneModel(model);
  const { inputs } = copy.graph;
  inputs.splice(0, inputs.length, ...inputs.filter((input) => !input.isConstant));
  // Since version 4 of the file format an initializer need not be an input.
  copy.irVersion = Math.max(copy.irVersion, 4);
  await writeOnnx(copy, path);
  return path;
}

/** Weights alone that do not fit are known before the engine tries. */
function refuseTooLarge(model: Model): void {
  let bytes = 0;
  for (const { tensor } of model.graph.initializers) bytes += tensor?.bytes ?? 0;
  if (bytes > MOST_BYTES) throw tooLarge(bytes);
}

function tooLarge(bytes: number): HoneError {
  return new HoneError(
    'artifact-too-large',
    `The model has ${(bytes / 1e9).toFixed(2)} GB and an ORT-format file cannot be larger than 2 GB; ship the .onnx file with external data.`,
  );
}

/** The file needs both the format's version and that of the model in it. */
function loadsOf(model: Model, tried: string): LoadRow[] {
  const own = onnxRuntimeMinimum(model, tried);
  const format: LoadRow = { where: 'ONNX Runtime', minimum: ORT_FORMAT_MINIMUM, why: 'version 6 of the ORT format' };
  const native = compareVersions(own.minimum, ORT_FORMAT_MINIMUM) > 0 ? own : format;
  return [native, { ...native, where: 'ONNX Runtime Web' }, ...ONNXRUNTIME_SYSTEMS];
}

interface OrtFile {
  /** In the folder. */
  readonly path: string;
  readonly options: Variant;
}

interface OrtFiles {
  /** Those for ARM first, and of each platform the fixed one. */
  readonly files: readonly OrtFile[];
  readonly signature: { inputs: SignatureValue[]; outputs: SignatureValue[] };
  /** Of all files, and of what those of the runtime style become when they are loaded: they run the fused kernels too. */
  readonly operators: readonly OrtOperator[];
}

/** Writes the files of one model that the options ask for. */
async function writeFiles(
  source: string,
  model: Model,
  folder: string,
  { style, platform }: OrtOptions,
  context: TargetContext,
): Promise<OrtFiles> {
  const name = artifactName(source);
  const scratch = await mkdtemp(join(context.scratch, 'ort-'));
  const plain = await withoutDefaults(source, model, join(scratch, `${name}.onnx`));
  const files: OrtFile[] = [];
  const operators: OrtOperator[] = [];
  let signature: OrtFiles['signature'] = { inputs: [], outputs: [] };
  const platforms = hasQuantizedOperators(model) ? chosen(platform, ['arm', 'amd64'] as const) : (['arm'] as const);
  for (const each of platforms) {
    for (const kind of ['fixed', 'runtime'] as const) {
      const isAsked = style === 'all' || style === kind;
      // The operators of the fixed style are needed for both.
      if (!isAsked && kind === 'runtime') continue;
      const options: Variant = { style: kind, platform: each };
      const path = fileName(name, options);
      const file = join(isAsked ? folder : scratch, path);
      await context.progress(files.length, platforms.length * (style === 'all' ? 2 : 1), `writing ${path}`);
      signature = await save(plain, file, options, context);
      const { size } = await stat(file);
      if (size > MOST_BYTES) throw tooLarge(size);
      operators.push(...readOrtOperators(await readFile(file), file));
      if (isAsked) files.push({ path, options });
    }
  }
  await rm(scratch, { recursive: true, force: true });
  return { files, signature, operators };
}

function chosen<Choice extends string>(choice: Choice | 'all', all: readonly Choice[]): readonly Choice[] {
  return choice === 'all' ? all : [choice];
}

/** Only the rules for quantized operators differ by processor; without these a file is the same for both. */
function hasQuantizedOperators({ graph, functions }: Model): boolean {
  const graphs = [graph, ...functions.map(({ body }) => body)];
  return graphs.some((each) => [...each.allNodes()].some((node) => node.is('QuantizeLinear', 'DequantizeLinear')));
}

/** The endings of ONNX Runtime's own converter, which knows no platform in names. */
function fileName(name: string, { style, platform }: Variant): string {
  return `${name}${platform === 'amd64' ? '.amd64' : ''}${style === 'runtime' ? '.with_runtime_opt' : ''}.ort`;
}

/** By engine, model and options: each model of a package is a companion of all others. */
const known = new WeakMap<TargetContext['engine'], Map<string, readonly OrtOperator[]>>();

async function companionOperators(options: OrtOptions, context: TargetContext): Promise<OrtOperator[]> {
  const found = known.get(context.engine) ?? new Map<string, readonly OrtOperator[]>();
  known.set(context.engine, found);
  const all: OrtOperator[] = [];
  for (const source of context.companions ?? []) {
    const key = JSON.stringify([source, options]);
    const operators = found.get(key) ?? (await operatorsOf(source, options, context));
    found.set(key, operators);
    all.push(...operators);
  }
  return all;
}

async function operatorsOf(
  source: string,
  options: OrtOptions,
  context: TargetContext,
): Promise<readonly OrtOperator[]> {
  const folder = await mkdtemp(join(context.scratch, 'companion-'));
  const { operators } = await writeFiles(source, await openModel(source), folder, options, context);
  await rm(folder, { recursive: true, force: true });
  return operators;
}

async function save(
  source: string,
  path: string,
  { style, platform }: Variant,
  context: TargetContext,
): Promise<OrtFiles['signature']> {
  const session = await context.engine.open(source, {
    optimization: 'all',
    optimizedModelPath: path,
    config: {
      // The blocked layout of this machine's vector width would not load on ARM or in a browser.
      'optimization.disable_specified_optimizers': 'NchwcTransformer',
      ...platformConfig(platform),
      ...(style === 'runtime' ? { 'optimization.minimal_build_optimizations': 'save' } : {}),
    },
  });
  const signature = { inputs: session.inputs.map(signatureValue), outputs: session.outputs.map(signatureValue) };
  await session.release();
  return signature;
}

/** x86-64 would turn signed activations into unsigned ones, which rounds elsewhere: up to 9 steps on a MobileNet. */
function platformConfig(platform: OrtOptions['platform']): Record<string, string> {
  return platform === 'arm' ? { 'session.qdqisint8allowed': '1' } : {};
}

function signatureValue({ name, type }: ValueInfo): SignatureValue {
  const tensor = type.kind === 'tensor' ? type : null;
  return { source: name, name, dtype: tensor?.dtype ?? type.kind, shape: tensor?.shape ?? [] };
}

function withStep(output: SignatureValue, { graph }: Model): SignatureValue {
  const value = graph.outputs.find(({ name }) => name === output.source);
  const step = value === undefined ? null : stepOf(value);
  return step === null ? output : { ...output, step };
}

function notesOf(model: Model, files: readonly OrtFile[]): string[] {
  const notes = [
    'Ordinary builds of ONNX Runtime for Android and iOS take the .onnx file; these files are for minimal and reduced builds.',
    ...files.map(({ path, options }) => `${path}: ${purposeOf(options, hasQuantizedOperators(model))}`),
    `Checked with the kernels of this machine (${process.arch === 'x64' ? 'x86-64' : process.arch}) and of WebAssembly; those of other processors did not run here.`,
  ];
  const domains = [...model.opsets.keys()].filter((domain) => domain !== '' && domain !== 'com.microsoft');
  if (domains.length > 0) notes.push(`The build must include the operators of ${domains.join(', ')}.`);
  return notes;
}

function purposeOf({ style, platform }: Variant, isQuantized: boolean): string {
  const where = !isQuantized
    ? 'ARM and x86-64 alike, since nothing in it is quantized'
    : platform === 'arm'
      ? 'ARM, as in phones'
      : 'x86-64, as in emulators';
  return style === 'fixed'
    ? `for CPUs, fully optimised; ${where}.`
    : `for NNAPI and Core ML: what these leave is optimised when it is loaded; ${where}.`;
}
