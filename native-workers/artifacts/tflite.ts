/**
 * TFLite for Android, iOS and boards. The graph keeps the names and layouts of its inputs and outputs; inside, channels stand
 * last where that saves transposes. No custom and no Flex operators are written: they would need a runtime that has them.
 */
import { join } from 'node:path';
import { type Conversion, convert, refusalError, unknownOperators } from '../formats/tflite/convert.ts';
import { makersOf, type TflGraph, type TflTensor, type TflValue } from '../formats/tflite/ir.ts';
import { openBatch } from '../formats/tflite/open-batch.ts';
import { writeTflite } from '../formats/tflite/write.ts';
import type { Model } from '../graph/model.ts';
import { toHoneError } from '../protocol/errors.ts';
import { artifactName } from './file-name.ts';
import type { ArtifactOperator, ArtifactTarget, PreparedModel, SignatureValue, TargetContext } from './target.ts';
import { TFLITE, type TfliteOptions } from './tflite-options.ts';

/**
 * Of the largest output, where weights lose digits: 11 bits of float16, and 8 or 4 bits with activations quantized at run time, add
 * up over the layers. Measured on the models of the tests: up to 8e-4, 3e-2 and 9e-2.
 */
const TOLERANCES: Readonly<Partial<Record<TfliteOptions['precision'], number>>> = {
  float16: 5e-3,
  dynamic: 0.1,
  'dynamic-int4': 0.25,
  'dynamic-int4-blocks': 0.25,
};

/**
 * Codes of 16 bits that count as one step, a 32nd of a step of 8 bits: LiteRT has only reference kernels for them, which round
 * each product twice. Measured: 84 % within one code, at most 5, over a ResNet of 21 layers.
 */
const CODES_OF_16_BITS = 8;

export const tflite: ArtifactTarget<TfliteOptions> = {
  ...TFLITE,
  tolerance: { float: 1e-4, steps: 3 },
  runtimeModule: 'runtimes/litert-artifact.ts',

  /** On x86, ONNX Runtime would make int8 activations uint8, and leave those of several readers, and what they feed, in float. */
  referenceOptions: () => ({ config: { 'session.qdqisint8allowed': '1' } }),

  async coverage(model, options, context) {
    const { nodes, refused } = await judged(model, options, context);
    const refusedNodes = refused.filter(({ type }) => type !== 'input' && type !== 'output').length;
    return { nodes, supported: nodes - refusedNodes, unsupported: refused.map((each) => ({ ...each })) };
  },

  async write(model, folder, options, context) {
    const { conversion, notes } = await conversionOf(model, options, context);
    const { graph, refused } = conversion;
    if (graph === null) throw refusalError(refused);
    const main = `${artifactName(context.source)}.tflite`;
    const { minRuntime } = writeTflite(graph, join(folder, main));
    const ways = [options.precision, ...(quantizesAtRunTime(model) ? ['dynamic' as const] : [])];
    return {
      tolerance: {
        ...tflite.tolerance,
        float: Math.max(...ways.map((way) => TOLERANCES[way] ?? tflite.tolerance.float)),
      },
      path: main,
      files: [main],
      requires: { 'TensorFlow Lite': minRuntime },
      notes,
      operators: () => operatorsOf(graph),
      signature: {
        inputs: graph.inputs.map(signatureValue),
        outputs: graph.outputs.map((output) => outputValue(output, graph)),
      },
    };
  },
};

/** Then a code in the middle between two is another where the last digit of a float differs, and so is all that comes of it. */
function quantizesAtRunTime({ graph }: Model): boolean {
  return [...graph.nodes].some(({ opType }) => opType.startsWith('DynamicQuantize'));
}

function operatorsOf({ operators }: TflGraph): ArtifactOperator[] {
  return operators.map(({ code, outputs, source, fused = [] }, index) => ({
    index,
    type: code,
    outputs: outputs.map(({ name }) => name),
    sources: [source, ...fused],
  }));
}

/** A model with operators that the engine does not know cannot be prepared; then at least these are named, all of them. */
async function judged(
  model: Model,
  options: TfliteOptions,
  context: TargetContext,
): Promise<Omit<Conversion, 'graph'>> {
  try {
    return (await conversionOf(model, options, context)).conversion;
  } catch (thrown) {
    const unknown = toHoneError(thrown).code === 'runtime-rejected-model' ? unknownOperators(model) : [];
    if (unknown.length === 0) throw thrown;
    return { nodes: model.graph.nodes.size, refused: unknown };
  }
}

interface Converted {
  readonly conversion: Conversion;
  readonly notes: readonly string[];
}

/** Coverage and writing need the same conversion, one after the other. */
const conversions = new WeakMap<Model, { readonly options: string; readonly converted: Converted }>();

async function conversionOf(model: Model, options: TfliteOptions, context: TargetContext): Promise<Converted> {
  const key = JSON.stringify(options);
  const known = conversions.get(model);
  if (known?.options === key) return known.converted;
  const prepared = await context.prepared();
  const conversion = convert(prepared.model, prepared.typeOf, options.precision);
  const notes = conversion.graph === null ? [] : await openSizes(conversion.graph, prepared, options, context);
  const converted = { conversion, notes };
  conversions.set(model, { options: key, converted });
  return converted;
}

/** Leaves the batch open where the model does; says which sizes are fixed all the same. */
async function openSizes(
  graph: TflGraph,
  prepared: PreparedModel,
  options: TfliteOptions,
  context: TargetContext,
): Promise<string[]> {
  const { chosen } = prepared;
  if (chosen.size === 0) return [];
  const doubled = await context.prepared(2);
  const twice = convert(doubled.model, doubled.typeOf, options.precision).graph;
  const reason = twice === null ? 'the model takes one sample' : openBatch(graph, twice);
  const notes = reason === null ? [] : [`The batch is fixed to 1: ${reason}.`];
  for (const { source, tensor } of graph.inputs) {
    const open = prepared.model.graph.inputs.find(({ name }) => name === source);
    const shape = tensor.signature ?? tensor.shape;
    if (open !== undefined && chosen.has(source) && shape.slice(1).length > 0)
      notes.push(`Sizes of ${source} in the artifact: [${shape.map((dim) => (dim < 0 ? 'any' : dim)).join(', ')}].`);
  }
  return notes;
}

function signatureValue({ source, name, tensor }: TflValue): SignatureValue {
  return {
    source,
    name,
    dtype: tensor.dtype,
    shape: tensor.signature?.map((dim) => (dim < 0 ? null : dim)) ?? tensor.shape,
  };
}

function outputValue(output: TflValue, graph: TflGraph): SignatureValue {
  const step = stepOf(output.tensor, graph);
  return step === null ? signatureValue(output) : { ...signatureValue(output), step };
}

/** The largest scale of the integers that a float tensor was computed from; null where there are none. */
function stepOf(tensor: TflTensor, { operators }: TflGraph): number | null {
  if (tensor.dtype !== 'float32') return null;
  const makers = makersOf(operators);
  const seen = new Set([tensor]);
  let step: number | null = null;
  // A set may grow while it is walked.
  for (const each of seen) {
    const maker = makers.get(each);
    if (maker === undefined) continue;
    const [codes] = maker.inputs;
    const scale = maker.code === 'DEQUANTIZE' && !codes?.constant ? codes?.quantization?.scales[0] : undefined;
    if (scale !== undefined) step = Math.max(step ?? 0, scale * (codes?.dtype === 'int16' ? CODES_OF_16_BITS : 1));
    else for (const input of maker.inputs) if (input !== null) seen.add(input);
  }
  return step;
}
