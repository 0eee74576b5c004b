/** What a look at the structure tells that its owner can act on: each note says what is so, and what to do. */
import type { InspectFacts } from '../protocol/facts.ts';
import type { Duplicates, Weight } from './inspect-weights.ts';
import type { MacCount } from './macs.ts';
import type { Model } from './model.ts';
import type { Node } from './node.ts';
import { toNumbers } from './tensor-values.ts';
import type { Value } from './value.ts';

export type Note = InspectFacts['notes'][number];

export interface NoteFacts {
  readonly model: Model;
  readonly weights: readonly Weight[];
  readonly duplicates: Duplicates;
  readonly macs: MacCount | null;
  /** Why there are no multiply-accumulates, when there are none. */
  readonly macsReason: string | null;
  readonly quantization: string | null;
  readonly externalFiles: readonly string[];
}

/** Domains whose operators ONNX Runtime's usual build has. */
const KNOWN_DOMAINS = new Set([
  '',
  'ai.onnx.ml',
  'ai.onnx.training',
  'ai.onnx.preview.training',
  'com.microsoft',
  'com.microsoft.experimental',
  'com.microsoft.nchwc',
  'com.ms.internal.nhwc',
  'com.microsoft.dml',
]);
/** Per-channel scales in QuantizeLinear came with 13; 21 brought blocks and 4 bits. Source: onnx/docs/Changelog.md. */
const PER_CHANNEL_OPSET = 13;
const NEWEST_OPSET = 25;
const LARGE_CONSTANT = 1 << 20;

export function notesOf(facts: NoteFacts): Note[] {
  return [...weightNotes(facts), ...structureNotes(facts), ...interfaceNotes(facts), ...macNotes(facts)];
}

const note = (code: string, message: string, node?: Node): Note =>
  node === undefined ? { code, message } : { code, message, node: node.label };

function size(bytes: number): string {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(1)} GB`;
  if (bytes >= 1e6) return `${(bytes / 1e6).toFixed(1)} MB`;
  return bytes >= 1e3 ? `${(bytes / 1e3).toFixed(1)} kB` : `${bytes} bytes`;
}

const counted = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;

const bytesOf = (weights: readonly Weight[]): number => weights.reduce((sum, { tensor }) => sum + tensor.bytes, 0);

function* weightNotes({ model, weights, duplicates, externalFiles }: NoteFacts): Iterable<Note> {
  const doubles = weights.filter(({ tensor }) => tensor.dtype === 'float64' && tensor.size > 1);
  if (doubles.length > 0) {
    yield note(
      'float64-weights',
      `${size(bytesOf(doubles))} of weights are float64, which few kernels are fast with; export the model in float32.`,
    );
  }
  if (duplicates.wasted > 0) {
    const copies = duplicates.of.size;
    yield note(
      'duplicate-weights',
      `${counted(copies, 'weight')} ${copies === 1 ? 'is a copy' : 'are copies'} of another, ${size(duplicates.wasted)} in all; the pass 'clean' stores each once.`,
    );
  }
  if (!duplicates.complete) {
    yield note(
      'duplicates-not-searched',
      'The weights are many: equal ones were looked for among a part of them only.',
    );
  }
  const unused = weights.filter(({ value, readers, source }) => {
    return source === 'initializer' && readers.length === 0 && !model.graph.outputs.includes(value);
  });
  if (unused.length > 0) {
    yield note(
      'unused-weights',
      `${counted(unused.length, 'weight')} of ${size(bytesOf(unused))} in all ${unused.length === 1 ? 'is' : 'are'} read by nothing; the pass 'clean' removes them.`,
    );
  }
  const constants = weights.filter(({ tensor, source }) => source === 'constant' && tensor.bytes >= LARGE_CONSTANT);
  if (constants.length > 0) {
    yield note(
      'large-constants',
      `${counted(constants.length, 'weight')} of ${size(bytesOf(constants))} in all stand in Constant nodes; the pass 'clean' makes them initializers, which can be quantized and kept outside the file.`,
      constants[0]?.value.producer ?? undefined,
    );
  }
  if (externalFiles.length > 0) {
    yield note(
      'external-data',
      `The weights are in ${externalFiles.slice(0, 3).join(', ')}${externalFiles.length > 3 ? ' and more' : ''}; move the files together with the model.`,
    );
  }
}

function* structureNotes({ model, quantization }: NoteFacts): Iterable<Note> {
  if (quantization !== null) {
    yield note(
      'already-quantized',
      `The model is quantized already (${quantization}); quantizing it again is refused. Start from the float model where there is one.`,
    );
  }
  const { opset } = model;
  if (opset > 0 && opset < PER_CHANNEL_OPSET) {
    yield note('old-opset', `The model uses opset ${opset}; INT8 by channel needs 13. Export with opset 17 or later.`);
  }
  if (opset > NEWEST_OPSET) {
    yield note('new-opset', `The model uses opset ${opset}, newer than the ${NEWEST_OPSET} that Hone is tested with.`);
  }
  const norms: Node[] = [];
  const placeholders: Node[] = [];
  const foreign = new Map<string, { count: number; node: Node }>();
  const functions = new Set(model.functions.map(({ domain, name }) => `${domain}:${name}`));
  for (const node of model.graph.allNodes()) {
    if (isFoldable(node)) norms.push(node);
    if (isPlaceholder(node)) placeholders.push(node);
    if (KNOWN_DOMAINS.has(node.domain) || functions.has(`${node.domain}:${node.opType}`)) continue;
    const known = foreign.get(node.domain);
    foreign.set(node.domain, { count: (known?.count ?? 0) + 1, node: known?.node ?? node });
  }
  if (norms.length > 0) {
    yield note(
      'batch-norm-not-folded',
      `${counted(norms.length, 'BatchNormalization')} ${norms.length === 1 ? 'follows' : 'follow'} a convolution or product; the pass 'clean' folds them into its weights.`,
      norms[0],
    );
  }
  if (placeholders.length > 0) {
    yield note(
      'placeholder-weights',
      `${counted(placeholders.length, 'weight')} ${placeholders.length === 1 ? 'is' : 'are'} made by ${placeholders[0]?.opType} when the model runs: this is a model without its trained weights, and its accuracy means nothing.`,
      placeholders[0],
    );
  }
  for (const [domain, { count, node }] of foreign) {
    yield note(
      'unknown-domain',
      `${counted(count, 'node')} of the domain ${domain} ${count === 1 ? 'needs' : 'need'} a custom operator library; ONNX Runtime alone refuses the model.`,
      node,
    );
  }
}

/** A BatchNormalization right after an operator with weights that can take it in. */
function isFoldable(node: Node): boolean {
  if (!node.is('BatchNormalization')) return false;
  const producer = node.inputs[0]?.producer;
  if (!producer?.is('Conv', 'ConvTranspose', 'Gemm', 'MatMul')) return false;
  return producer.outputs[0]?.consumers.size === 1 && producer.inputs[1]?.isConstant === true;
}

const GENERATORS = ['RandomNormal', 'RandomUniform', 'RandomNormalLike', 'RandomUniformLike'];
const LARGE_PLACEHOLDER = 1024;

/** A weight that is made at run time: a large constant tensor of one value, or random numbers, read as a weight. */
function isPlaceholder(node: Node): boolean {
  const output = node.outputs[0];
  const readAsWeight = [...(output?.consumers ?? [])].some(
    (reader) => reader.is('Conv', 'Gemm', 'MatMul', 'ConvTranspose') && reader.inputs[1] === output,
  );
  if (!readAsWeight) return false;
  if (node.is(...GENERATORS)) return true;
  const shape = node.is('ConstantOfShape') ? node.inputs[0]?.tensor : null;
  return shape != null && shape.size < 16 && toNumbers(shape).reduce((all, dim) => all * dim, 1) >= LARGE_PLACEHOLDER;
}

function* interfaceNotes({ model }: NoteFacts): Iterable<Note> {
  const inputs = model.graph.inputs.filter((input) => !input.isConstant);
  const symbolic = inputs.filter(
    ({ type }) => type?.kind === 'tensor' && type.shape?.some((dim) => typeof dim !== 'number'),
  );
  if (symbolic.length > 0) {
    const [first] = symbolic;
    const shape = first?.type?.kind === 'tensor' ? (first.type.shape ?? []) : [];
    yield note(
      'symbolic-dims',
      `${symbolic
        .map(({ name }) => name)
        .slice(0, 4)
        .join(
          ', ',
        )} ${symbolic.length === 1 ? 'has' : 'have'} free dimensions ([${shape.map((dim) => dim ?? '?').join(', ')}]); without data, they are taken as 1 for counts and benchmarks.`,
    );
  }
  const halves = [...inputs, ...model.graph.outputs].filter(isHalf);
  if (halves.length > 0) {
    yield note(
      'float16-interface',
      `${halves
        .map(({ name }) => name)
        .slice(0, 4)
        .join(', ')} ${halves.length === 1 ? 'is' : 'are'} float16: callers must convert.`,
    );
  }
  const overridable = model.irVersion >= 4 ? model.graph.inputs.filter((input) => input.isConstant) : [];
  if (overridable.length > 0) {
    yield note(
      'weights-are-inputs',
      `${counted(overridable.length, 'weight')} ${overridable.length === 1 ? 'is' : 'are'} also listed as an input, so that callers can replace it: ONNX Runtime then folds and fuses nothing with it. Export without keep_initializers_as_inputs.`,
    );
  }
}

const isHalf = ({ type }: Value): boolean => type?.kind === 'tensor' && type.dtype === 'float16';

function* macNotes({ macs, macsReason }: NoteFacts): Iterable<Note> {
  if (macsReason !== null) yield note('macs-unknown', macsReason, macs?.unknown ?? undefined);
  if (macs?.macs != null && macs.loop !== null) {
    yield note(
      'macs-of-loop',
      'The body of a loop is counted once: how often it runs is known only when it does.',
      macs.loop,
    );
  }
}
