/**
 * ONNX's operator tests, converted to TFLite and run on LiteRT, against the outputs that the suite expects. What TFLite cannot
 * express is refused with a reason; nothing else may fail. The same files, opened again by Hone's reader, give the same on ONNX
 * Runtime: what is written can be read.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { conformanceBaseline, conformanceTests } from '../helpers/conformance.ts';
import { hasShared } from '../helpers/shared.ts';
import { runTfliteConformance, type TfliteOutcome } from '../helpers/tflite-conformance.ts';

/** Fewer than this many would mean that something was lost; the issue asks for 400. */
const FEWEST_PASSES = 1280;

/** Tests in which the answer of ONNX Runtime itself is not the suite's are no measure of a converter. */
function comparableTests(): string[] {
  const baseline = conformanceBaseline();
  return conformanceTests().filter((name) => baseline[name]?.result === 'pass' && baseline[name]?.recheck === 'pass');
}

const WAYS = [
  ['LiteRT', 'litert'],
  ['the reader and ONNX Runtime', 'read-back'],
] as const;

describe.skipIf(!hasShared).each(WAYS)('operator tests through TFLite and %s', (title, way) => {
  let outcomes: Map<string, TfliteOutcome>;
  beforeAll(async () => {
    outcomes = await runTfliteConformance(comparableTests(), 2, way);
  }, 900_000);

  const named = (verdict: TfliteOutcome['verdict']): string[] =>
    [...outcomes]
      .filter(([, outcome]) => outcome.verdict === verdict)
      .map(([name, { detail }]) => `${name}: ${detail}`);

  it('were all run', () => {
    expect(outcomes.size).toBe(comparableTests().length);
  });

  it('give the expected outputs wherever they are converted', () => {
    expect([...named('differ'), ...named('error')]).toEqual([]);
  });

  it('never end the process', () => {
    expect(named('crash')).toEqual([]);
  });

  it('pass in large numbers', () => {
    expect(named('pass').length).toBeGreaterThanOrEqual(FEWEST_PASSES);
  });

  it('are refused with a reason, counted here', () => {
    const reasons = new Map<string, number>();
    for (const { verdict, detail } of outcomes.values()) {
      if (verdict !== 'refused') continue;
      const reason = detail.replace(/'[^']*'/g, "'…'");
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    }
    const lines = [...reasons].sort(([, a], [, b]) => b - a).map(([reason, count]) => `${count}  ${reason}`);
    process.stderr.write(
      `TFLite through ${title}: ${named('pass').length} of ${outcomes.size} pass; refused:\n${lines.join('\n')}\n`,
    );
    expect([...reasons.keys()].filter((reason) => reason.length < 10)).toEqual([]);
  });
});
