/** Why the optimised model is slower or faster: at most five causes, from the profile and from what the engine fused. */
import type { Hint } from './document.ts';
import { formatMs, plural } from './format.ts';
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

function profileHints({ rows, total }: OperatorsSection): Hint[] {
  return rows
    .filter((row) => Math.abs(row.delta) >= SMALLEST_SHARE * total.before)
    .sort((a, b) => Math.abs(b.delta) - Math.abs(a.delta))
    .map((row): Hint => {
      const direction = row.delta < 0 ? 'faster' : 'slower';
      const change = formatMs(Math.abs(row.delta));
      return { code: `operator-${direction}`, direction, message: sentenceOf(row, change), ms: row.delta };
    });
}

function sentenceOf({ operator, before, after, delta }: OperatorsSection['rows'][number], change: string): string {
  const what = CONVERSIONS[operator];
  const named = what === undefined ? operator : `${operator} (${what})`;
  if (after === null)
    return `${named}: gone, which saves ${change} a run (${plural(before?.nodes ?? 0, 'node')} before).`;
  if (before === null) return `${named}: new, and takes ${change} a run in ${plural(after.nodes, 'node')}.`;
  const nodes =
    before.nodes === after.nodes ? plural(after.nodes, 'node') : `${before.nodes} nodes before, ${after.nodes} after`;
  return `${named}: ${change} a run ${delta < 0 ? 'less' : 'more'} than before (${nodes}).`;
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
