/**
 * The operator lists that reduced builds of ONNX Runtime take (`build.py --include_ops_by_config`): one line a domain and
 * version, with or without the types. From the operators of the *optimised* graphs of all models of a package together: lists
 * made from the original graph miss the fused kernels, and lists of one model miss the others'.
 */
import type { OrtOperator } from './operators.ts';

interface TypeRule {
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

/** What each operator's kernels are registered by, where that is not input 0 alone (conversion.md section 3). */
const TYPE_RULES: Readonly<Record<string, TypeRule>> = {
  Cast: { inputs: [0], outputs: [0] },
  Gather: { inputs: [0, 1], outputs: [] },
  GatherElements: { inputs: [0, 1], outputs: [] },
  Pow: { inputs: [0, 1], outputs: [] },
  RandomNormal: { inputs: [], outputs: [0] },
  RandomNormalLike: { inputs: [], outputs: [0] },
  RandomUniform: { inputs: [], outputs: [0] },
  RandomUniformLike: { inputs: [], outputs: [0] },
  QuantizeLinear: { inputs: [], outputs: [0] },
};

/** Operators whose kernels are cut down by the type of input 0; those in neither table are written without types. */
const BY_FIRST_INPUT = new Set(
  (
    'Add AveragePool BatchNormalization Clip Concat Conv DequantizeLinear Div Equal Exp Expand Flatten Gemm Greater Less MatMul ' +
    'Max Min Mul NonMaxSuppression NonZero Pad QLinearConv Range Relu Resize Sigmoid Slice Softmax Split Sub Tile TopK Transpose'
  ).split(' '),
);
/** Of `com.microsoft`, where an operator may be called as one of ONNX's and yet have kernels of its own (QLinearConv). */
const MICROSOFT_BY_FIRST_INPUT = new Set(['QLinearAdd', 'QLinearMul']);

/** `operators`: of all models together. `types`: with element types, for `--enable_reduced_operator_type_support`. */
export function operatorsConfig(operators: readonly OrtOperator[], types: boolean): string {
  const lines = new Map<string, Map<string, OrtOperator[]>>();
  for (const operator of operators) {
    const key = `${operator.domain};${operator.sinceVersion}`;
    const line = lines.get(key) ?? new Map<string, OrtOperator[]>();
    line.set(operator.type, [...(line.get(operator.type) ?? []), operator]);
    lines.set(key, line);
  }
  const header = '# Operators that the models of this package need. For build.py --include_ops_by_config.\n';
  const body = [...lines]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, line]) => {
      const entries = [...line].sort(([a], [b]) => (a < b ? -1 : 1));
      return `${key};${entries.map(([type, same]) => `${type}${types ? typesOf(type, same) : ''}`).join(',')}\n`;
    });
  return header + body.join('');
}

function ruleOf(type: string, domain: string): TypeRule | 'OneHot' | null {
  const first: TypeRule = { inputs: [0], outputs: [] };
  if (domain === 'com.microsoft') return MICROSOFT_BY_FIRST_INPUT.has(type) ? first : null;
  if (domain !== 'ai.onnx') return null;
  if (type === 'OneHot') return 'OneHot';
  return TYPE_RULES[type] ?? (BY_FIRST_INPUT.has(type) ? first : null);
}

function typesOf(type: string, operators: readonly OrtOperator[]): string {
  const rule = ruleOf(type, operators[0]?.domain ?? '');
  if (rule === null) return '';
  if (rule === 'OneHot') return oneHotTypes(operators);
  const gather = (side: 'inputs' | 'outputs', positions: readonly number[]): [string, string[]][] =>
    positions.flatMap((position) => {
      const found = new Set(operators.flatMap((operator) => [...(operator[side].get(position) ?? [])]));
      return found.size === 0 ? [] : [[String(position), [...found].sort()] as [string, string[]]];
    });
  const inputs = gather('inputs', rule.inputs);
  const outputs = gather('outputs', rule.outputs);
  if (inputs.length + outputs.length === 0) return '';
  return JSON.stringify({
    ...(inputs.length === 0 ? {} : { inputs: Object.fromEntries(inputs) }),
    ...(outputs.length === 0 ? {} : { outputs: Object.fromEntries(outputs) }),
  });
}

/** OneHot's kernels are registered by the types of indices, depth and values together. */
function oneHotTypes(operators: readonly OrtOperator[]): string {
  const triples = operators.flatMap(({ inputs }) => {
    const [indices, depth, values] = [0, 1, 2].map((position) => [...(inputs.get(position) ?? [])][0]);
    return indices === undefined || depth === undefined || values === undefined ? [] : [[indices, values, depth]];
  });
  return triples.length === 0 ? '' : JSON.stringify({ custom: triples });
}
