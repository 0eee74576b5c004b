/** Why the optimised model is slower or faster: at most five causes, from the profile and from what the engine fused. */
import type { Hint } from './document.ts';
import { formatMs, joinWords, plural } from './format.ts';
import { dataOf } from './outcome.ts';
import type { OperatorsSection } from './sections/operators.ts';
import type { Sections } from './sections/registry.ts';

const MOST = 5;
/** A change below this share of the time before is not worth a line. */
const SMALLEST_SHARE = 0.02;

/** Operators that only convert between types: time spent there is what a quantized or half-precision graph pays. */
const CONVERSIONS: Readonly<Record<string, string>> = {
  QuantizeLinear: 'conversion to integers',
  DequantizeLinear: 'conversion from integers',
  DynamicQuantizeLinear: 'quantization of activations while running',
  Cast: 'conversion between number types',
};

export function buildHints(sections: Sections): Hint[] {
  const profile = dataOf(sections.operators);
  return [...(profile === null ? [] : profileHints(profile)), ...fusionHints(sections)].slice(0, MOST);
}

interface Family {
  readonly name: string;
  readonly before: readonly Kernel[];
  readonly after: readonly Kernel[];
  readonly delta: number;
}
interface Kernel {
  readonly operator: string;
  readonly nodes: number;
}

function profileHints({ rows, total }: OperatorsSection): Hint[] {
  return familiesOf(rows)
    .filter(({ delta }) => Math.abs(delta) >= SMALLEST_SHARE * total.before)
    .sort((a, b) => Math.abs(b.delta) - Math.abs(a.delta))
    .map((family): Hint => {
      const direction = family.delta < 0 ? 'faster' : 'slower';
      return { code: `operator-${direction}`, direction, message: sentenceOf(family), ms: family.delta };
    });
}

/** Kernels that do the same work in another form, counted together: a Conv that became a QLinearConv is not gone. */
function familiesOf(rows: OperatorsSection['rows']): Family[] {
  const families = Map.groupBy(rows, (row) => familyOf(row.operator));
  return [...families].map(([name, members]) => ({
    name,
    before: members.flatMap(({ operator, before }) => (before === null ? [] : [{ operator, nodes: before.nodes }])),
    after: members.flatMap(({ operator, after }) => (after === null ? [] : [{ operator, nodes: after.nodes }])),
    delta: members.reduce((sum, { delta }) => sum + delta, 0),
  }));
}

/** ONNX Runtime's kernels that do the work of an ONNX operator in another form. `QLinear…` ones name theirs. */
const FAMILIES: Readonly<Record<string, string>> = {
  FusedConv: 'Conv',
  NhwcFusedConv: 'Conv',
  ConvInteger: 'Conv',
  FusedMatMul: 'MatMul',
  MatMulInteger: 'MatMul',
  MatMulIntegerToFloat: 'MatMul',
  DynamicQuantizeMatMul: 'MatMul',
  MatMulNBits: 'MatMul',
  FusedGemm: 'Gemm',
  QGemm: 'Gemm',
  QAttention: 'Attention',
  DynamicQuantizeLSTM: 'LSTM',
};

function familyOf(operator: string): string {
  const type = operator.slice(operator.lastIndexOf(':') + 1);
  return FAMILIES[type] ?? type.replace(/^QLinear/, '');
}

function sentenceOf({ name, before, after, delta }: Family): string {
  const what = CONVERSIONS[name];
  const named = what === undefined ? name : `${name} (${what})`;
  const change = formatMs(Math.abs(delta));
  if (after.length === 0) return `${named}: gone, which saves ${change} a run (${listOf(before, name)} before).`;
  if (before.length === 0) return `${named}: new, and takes ${change} a run in ${listOf(after, name)}.`;
  const kernels = `${listOf(before, name)} before, ${listOf(after, name)} after`;
  return `${named}: ${change} a run ${delta < 0 ? 'less' : 'more'} than before (${kernels}).`;
}

/** `52 nodes`, or with another kernel's name `52 QLinearConv and 1 node`. */
function listOf(kernels: readonly Kernel[], family: string): string {
  return joinWords(
    kernels.map(({ operator, nodes }) => (operator === family ? plural(nodes, 'node') : `${nodes} ${operator}`)),
  );
}

/** Missing fusions are causes too, also where nothing was profiled. */
function fusionHints(sections: Sections): Hint[] {
  const expected = dataOf(sections.fusion)?.expected ?? [];
  return expected
    .filter((kernel) => kernel.found < kernel.expected)
    .map((kernel): Hint => {
      const first = kernel.missing.slice(0, 3).join(', ');
      const more = kernel.missing.length > 3 ? ` and ${kernel.missing.length - 3} more` : '';
      const where = first === '' ? '' : `: ${first}${more}`;
      return {
        code: 'unfused',
        direction: 'slower',
        message: `${plural(kernel.expected - kernel.found, 'node')} did not become ${kernel.kernel}${where}.`,
        ms: null,
      };
    });
}
