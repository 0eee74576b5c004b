/**
 * ONNX Runtime Mobile: the model in ORT format with the operator lists that a reduced build needs. ONNX Runtime writes the
 * format itself; what matters is how it is asked (conversion.md section 3): nothing that fits only this machine's processor
 * may be baked in, and quantized models keep signed activations for ARM.
 *
 * Only minimal and reduced builds need this: the ordinary packages for Android and iOS take the .onnx file with all operators.
 */
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeOnnx } from '../formats/onnx/write.ts';
import { type OrtOperator, ortNodes, readOrtOperators } from '../formats/ort/operators.ts';
import { operatorsConfig } from '../formats/ort/operators-config.ts';
import { openModel } from '../formats/registry.ts';
import { cloneModel } from '../graph/clone.ts';
import type { Model } from '../graph/model.ts';
import type { ValueInfo } from '../lib/engine.ts';
import { HoneError } from '../protocol/errors.ts';
import type { LoadRow } from '../protocol/package-facts.ts';
import { artifactName } from './file-name.ts';
import { ONNXRUNTIME_SYSTEMS } from './loads.ts';
import { compareVersions, ORT_FORMAT_MINIMUM, onnxRuntimeMinimum } from './onnxruntime-versions.ts';
import { ORT, type OrtOptions } from './ort-options.ts';
import type { ArtifactTarget, SignatureValue, TargetContext } from './target.ts';

/** A FlatBuffer cannot be larger. */
const MOST_BYTES = 2 ** 31 - 1;

export const ort: ArtifactTarget<OrtOptions> = {
  ...ORT,
  tolerance: { float: 1e-4, steps: 3 },
  runtimeModule: 'runtimes/ort-artifact.ts',
  otherRuntimes: [{ title: 'ONNX Runtime Web', module: 'runtimes/onnxruntime-web-artifact.ts' }],

  /** ONNX Runtime loaded the source already, so it knows every operator of it. */
  coverage(model) {
    const nodes = [...model.graph.allNodes()].length;
    return { nodes, supported: nodes, unsupported: [] };
  },

  async write(model, folder, options, context) {
    const name = artifactName(context.source);
    const main = options.style === 'fixed' ? `${name}.ort` : `${name}.with_runtime_opt.ort`;
    refuseTooLarge(model);
    const source = await withoutDefaults(context.source, model, join(context.scratch, `${name}.plain.onnx`));
    const signature = await save(source, join(folder, main), options, context);
    const { size } = await stat(join(folder, main));
    if (size > MOST_BYTES) throw tooLarge(size);
    const operators = await operatorsOf(source, join(folder, main), options, context);
    for (const [index, each] of (context.companions ?? []).entries()) {
      const companion = await openModel(each);
      const plain = await withoutDefaults(each, companion, join(context.scratch, `companion-${index}.onnx`));
      const path = join(context.scratch, `companion-${index}.ort`);
      await save(plain, path, options, context);
      operators.push(...(await operatorsOf(plain, path, options, context)));
    }
    await writeFile(join(folder, 'required_operators.config'), operatorsConfig(operators, false));
    await writeFile(join(folder, 'required_operators_and_types.config'), operatorsConfig(operators, true));
    const loads = loadsOf(model, context.engine.version);
    return {
      path: main,
      files: [main, 'required_operators.config', 'required_operators_and_types.config'],
      requires: Object.fromEntries(loads.slice(0, 1).map(({ where, minimum }) => [where, minimum])),
      notes: notesOf(model, options),
      signature,
      loads,
      operators: async () => ortNodes(await readFile(join(folder, main)), main),
    };
  },

  referenceOptions(options) {
    // ONNX Runtime's full builds leave quantized operators that are kept as records as they are: no fused rounding.
    return { config: platformConfig(options), ...(options.style === 'runtime' ? { optimization: 'basic' } : {}) };
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

/** What is optimised at load time runs the fused kernels too: in the runtime style the list needs both graphs. */
async function operatorsOf(
  source: string,
  saved: string,
  options: OrtOptions,
  context: TargetContext,
): Promise<OrtOperator[]> {
  const operators = readOrtOperators(await readFile(saved), saved);
  if (options.style === 'fixed') return operators;
  const full = join(context.scratch, 'full.ort');
  await save(source, full, { ...options, style: 'fixed' }, context);
  return [...operators, ...readOrtOperators(await readFile(full), full)];
}

async function save(
  source: string,
  path: string,
  options: OrtOptions,
  context: TargetContext,
): Promise<{ inputs: SignatureValue[]; outputs: SignatureValue[] }> {
  const session = await context.engine.open(source, {
    optimization: 'all',
    optimizedModelPath: path,
    config: {
      // The blocked layout of this machine's vector width would not load on ARM or in a browser.
      'optimization.disable_specified_optimizers': 'NchwcTransformer',
      ...platformConfig(options),
      ...(options.style === 'runtime' ? { 'optimization.minimal_build_optimizations': 'save' } : {}),
    },
  });
  const signature = { inputs: session.inputs.map(signatureValue), outputs: session.outputs.map(signatureValue) };
  await session.release();
  return signature;
}

/** x86-64 would turn signed activations into unsigned ones, which rounds elsewhere: up to 9 steps on a MobileNet. */
function platformConfig({ platform }: OrtOptions): Record<string, string> {
  return platform === 'arm' ? { 'session.qdqisint8allowed': '1' } : {};
}

function signatureValue({ name, type }: ValueInfo): SignatureValue {
  const tensor = type.kind === 'tensor' ? type : null;
  return { source: name, name, dtype: tensor?.dtype ?? type.kind, shape: tensor?.shape ?? [] };
}

function notesOf(model: Model, options: OrtOptions): string[] {
  const notes = [
    'Ordinary builds of ONNX Runtime for Android and iOS take the .onnx file; this one is for minimal and reduced builds.',
  ];
  if (options.style === 'runtime')
    notes.push('Optimisations are kept as records and applied on the device to what NNAPI or Core ML leave.');
  const domains = [...model.opsets.keys()].filter((domain) => domain !== '' && domain !== 'com.microsoft');
  if (domains.length > 0) notes.push(`The build must include the operators of ${domains.join(', ')}.`);
  return notes;
}
