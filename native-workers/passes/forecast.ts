/**
 * What a pass would do to a model of which only the structure is known, for `--dry-run`. These are upper bounds from counts
 * and bytes by operator: whether a node qualifies is seen only when the pass reads it. A pass without a line here is
 * forecast by its family alone.
 */
import type { InspectFacts } from '../protocol/facts.ts';
import type { Pass } from './pass.ts';

export interface Forecast {
  /** Nodes of the kinds that the pass works on; null when they are seen only when it runs. */
  readonly nodes: number | null;
  readonly weightBytesBefore: number;
  /** At best. */
  readonly weightBytesAfter: number;
  readonly text: string;
}

/** The float weights that are left to work on, by the operator that reads them. */
export type FloatWeights = Map<string, number>;

interface Rule {
  /** Operator types it works on; all when null. */
  readonly operators: (options: Readonly<Record<string, unknown>>) => readonly string[] | null;
  /** Bytes of a weight after/before, from float32. */
  readonly factor: number;
  readonly becomes: string;
}

const PRODUCTS = ['MatMul', 'Gemm', 'Attention'];

const listOf = (value: unknown): readonly string[] | null =>
  Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : null;

const RULES: Readonly<Record<string, Rule>> = {
  'quantize-dynamic': { operators: () => PRODUCTS, factor: 1 / 4, becomes: 'INT8 with ranges taken at run time' },
  'quantize-static': { operators: () => ['Conv', ...PRODUCTS], factor: 1 / 4, becomes: 'INT8 with calibrated ranges' },
  'quantize-weights-int8': { operators: ({ operators }) => listOf(operators), factor: 1 / 4, becomes: 'INT8 weights' },
  float16: { operators: () => null, factor: 1 / 2, becomes: 'float16' },
};

/** What the clean passes look for by type; folding depends on values and is not counted. */
const REMOVABLE = ['Identity', 'Dropout', 'BatchNormalization', 'Constant'];

/** The float weights of a model as inspected. */
export function floatWeights(model: InspectFacts): FloatWeights {
  const all = Object.values(model.precision).reduce((sum, bytes) => sum + bytes, 0);
  const float = (model.precision['float32'] ?? 0) + (model.precision['float64'] ?? 0);
  const share = all === 0 ? 0 : float / all;
  return new Map(Object.entries(model.bytesByOperator).map(([type, bytes]) => [type, bytes * share]));
}

/** Forecasts one pass, and takes the weights that it would convert out of `left`, so that the next pass does not count them. */
export function forecastPass(
  pass: Pass,
  options: Readonly<Record<string, unknown>>,
  model: InspectFacts,
  left: FloatWeights,
): Forecast {
  const rule = RULES[pass.id];
  if (rule === undefined) return forecastClean(pass, model);
  const types = rule.operators(options) ?? [...left.keys()];
  let before = 0;
  let nodes = 0;
  for (const type of types) {
    before += left.get(type) ?? 0;
    nodes += model.operators[type] ?? 0;
    left.delete(type);
  }
  const text =
    before === 0
      ? 'finds no float weights to work on'
      : `up to ${nodes} nodes of ${types.filter((type) => model.operators[type] !== undefined).join(', ')} become ${rule.becomes}`;
  return { nodes, weightBytesBefore: before, weightBytesAfter: before * rule.factor, text };
}

function forecastClean(pass: Pass, model: InspectFacts): Forecast {
  if (pass.family !== 'clean') {
    return { nodes: null, weightBytesBefore: 0, weightBytesAfter: 0, text: 'what it does is seen only when it runs' };
  }
  const found = REMOVABLE.flatMap((type) =>
    model.operators[type] === undefined ? [] : [`${model.operators[type]} ${type}`],
  );
  const duplicates = model.tensors.filter(({ duplicateOf }) => duplicateOf !== undefined);
  const bytes = duplicates.reduce((sum, tensor) => sum + tensor.bytes, 0);
  const parts = [
    ...(found.length > 0 ? [`looks at ${found.join(', ')}`] : []),
    ...(duplicates.length > 0 ? [`${duplicates.length} duplicate weights of ${bytes} bytes`] : []),
  ];
  return {
    nodes: null,
    weightBytesBefore: bytes,
    weightBytesAfter: 0,
    text: `${parts.join(', ') || 'finds no removable nodes by type'}; constants that can be folded are seen only when it runs`,
  };
}
