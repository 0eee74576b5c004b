/**
 * Operators into which ONNX Runtime fuses others (domain com.microsoft), as what they were fused from: models that its optimizer
 * or its generator saved can then be said in formats that know ONNX's operators only. Formulas and defaults are those of
 * docs/ContribOperators.md of ONNX Runtime.
 */
import { type Attribute, floatAttribute, intAttribute } from './attribute.ts';
import { ATTENTION } from './expand-attention.ts';
import { type Expand, type Expansion, FusedNode } from './fused-node.ts';
import type { Model } from './model.ts';
import type { Node } from './node.ts';
import type { ValueType } from './types.ts';
import type { Value } from './value.ts';

const DOMAIN = 'com.microsoft';

export function isFused(node: Node): boolean {
  return node.domain === DOMAIN && Object.hasOwn(FUSED, node.opType);
}

/**
 * Rewrites the main graph, which must be of operator set 10 or newer. `types` know what the operators read. A form that is not
 * written out stays, for the writer to refuse by name. Returns how many nodes were rewritten.
 */
export function expandFused(model: Model, types: ReadonlyMap<Value, ValueType>): number {
  if (model.opset < 10) return 0;
  let count = 0;
  for (const node of [...model.graph.nodes]) {
    const expand = isFused(node) ? FUSED[node.opType] : undefined;
    const made = expand?.(new FusedNode(model, node, types)) ?? null;
    if (made === null) continue;
    node.outputs.forEach((output, index) => {
      const value = made[index];
      if (output !== null && value) model.graph.replaceValue(output, value);
    });
    model.graph.removeNode(node);
    count++;
  }
  return count;
}

/** The bias is added before; what is left is an operator that formats have. */
const biased =
  (opType: string): Expand =>
  (fused) =>
    fused.has(1) ? [fused.build.add(opType, [fused.plus(fused.operand(0), 1)], 'activated', {}, DOMAIN)] : null;

/** The sum of input, skip and bias is normalised, and may be an output too. */
function skipNormalization(fused: FusedNode): Expansion {
  const { node, build } = fused;
  // Mean and deviation are for training.
  if (fused.gives(1) || fused.gives(2)) return null;
  const isSimplified = node.opType === 'SkipSimplifiedLayerNormalization';
  const sum = fused.plus(fused.binary('Add', fused.operand(0), fused.operand(1)), isSimplified ? 3 : 4);
  const parameters = isSimplified ? [fused.operand(2)] : [fused.operand(2), fused.input(3)];
  const made = build.add(
    isSimplified ? 'SimplifiedLayerNormalization' : 'LayerNormalization',
    [sum, ...parameters],
    'normalized',
    {
      axis: intAttribute(-1),
      epsilon: floatAttribute(node.float('epsilon', 1e-12)),
    },
  );
  return [made, null, null, sum];
}

/** Rows of tables for words, places and segments, added and normalised. */
function embedding(fused: FusedNode): Expansion {
  const { node, build } = fused;
  const length = fused.size(0, 1);
  if (length === null || fused.gives(1)) return null;
  const rows = (table: number, places: Value): Value => build.add('Gather', [fused.operand(table), places], 'rows');
  const given = fused.input(8);
  const places = given === null ? build.slice(fused.operand(3), 0, 0, length) : rows(3, given);
  let sum = fused.binary('Add', rows(2, fused.operand(0)), places);
  const segments = fused.input(1);
  if (segments !== null && fused.has(4)) sum = fused.binary('Add', sum, rows(4, segments));
  const made = build.add('LayerNormalization', [sum, fused.operand(5), fused.operand(6)], 'normalized', {
    axis: intAttribute(-1),
    epsilon: floatAttribute(node.float('epsilon', 1e-12)),
  });
  return [made, null, sum];
}

/** alpha * A * B, either with its last two dimensions exchanged. */
function matmul(fused: FusedNode): Expansion {
  const { node, build } = fused;
  if (node.int('transBatchA', 0) !== 0 || node.int('transBatchB', 0) !== 0) return null;
  const sides: Value[] = [];
  for (const [index, name] of ['transA', 'transB'].entries()) {
    const rank = fused.rank(index);
    if (rank === null) return null;
    const axes = Array.from({ length: rank }, (_, axis) => axis);
    const isTurned = node.int(name, 0) !== 0 && rank > 1;
    sides.push(build.transpose(fused.operand(index), isTurned ? [...axes.slice(0, -2), rank - 1, rank - 2] : axes));
  }
  const product = build.add('MatMul', sides, 'product');
  const alpha = node.float('alpha', 1);
  return [alpha === 1 ? product : fused.binary('Mul', product, fused.number(alpha))];
}

/** An operator of ONNX with what follows it: a tensor that is added, an activation. */
const followed =
  (opType: string, added: number): Expand =>
  (fused) => {
    const { node, build } = fused;
    const attributes = Object.fromEntries([...node.attributes].filter(([name]) => !name.startsWith('activation')));
    const main = build.add(opType, node.inputs.slice(0, 3), opType.toLowerCase(), attributes);
    const sum = added === 0 ? main : fused.plus(main, added);
    return activated(fused, sum);
  };

/** Parameters of FusedConv are a list, those of FusedGemm have names; null for an activation that ONNX Runtime does not fuse. */
function activated(fused: FusedNode, x: Value): Expansion {
  const { node, build } = fused;
  const opType = node.string('activation', '');
  const list = node.floats('activation_params') ?? [];
  const parameter = (index: number, name: string): number | null =>
    list[index] ?? (node.attributes.has(name) ? node.float(name, 0) : null);
  const attributes: Record<string, Attribute> = {};
  if (opType === '') return [x];
  if (opType === 'Clip') {
    const [low, high] = [parameter(0, 'activation_min'), parameter(1, 'activation_max')];
    if (low === null || high === null) return null;
    if (fused.opset >= 11) return [build.add('Clip', [x, fused.number(low), fused.number(high)], 'activated')];
    return [build.add('Clip', [x], 'activated', { min: floatAttribute(low), max: floatAttribute(high) })];
  }
  if (!['Relu', 'Tanh', 'Sigmoid', 'LeakyRelu', 'HardSigmoid', 'Elu'].includes(opType)) return null;
  for (const [index, name] of ['alpha', 'beta'].entries()) {
    const value = parameter(index, `activation_${name}`);
    if (value !== null) attributes[name] = floatAttribute(value);
  }
  return [build.add(opType, [x], 'activated', attributes)];
}

const FUSED: Readonly<Record<string, Expand>> = {
  ...ATTENTION,
  BiasGelu: biased('Gelu'),
  FastGelu: biased('FastGelu'),
  SkipLayerNormalization: skipNormalization,
  SkipSimplifiedLayerNormalization: skipNormalization,
  EmbedLayerNormalization: embedding,
  FusedMatMul: matmul,
  FusedConv: followed('Conv', 3),
  FusedGemm: followed('Gemm', 0),
};
