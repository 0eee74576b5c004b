/**
 * ONNX's operator tests as Core ML packages, read back and run: what is supported gives the expected outputs. Operands that real
 * models hold as constants (shapes, axes, weights of recurrent layers) are made constants; see `helpers/constant-operands.ts`.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { coreml } from '../../../../native-workers/artifacts/coreml.ts';
import { COREML_DEFAULTS } from '../../../../native-workers/artifacts/coreml-options.ts';
import { readPackage } from '../../../../native-workers/formats/coreml/read-package.ts';
import { readOnnx } from '../../../../native-workers/formats/onnx/read.ts';
import type { Tensor } from '../../../../native-workers/graph/tensor.ts';
import { toHostTensor, toNumbers } from '../../../../native-workers/graph/tensor-values.ts';
import type { Engine, Feeds } from '../../../../native-workers/lib/engine.ts';
import { numbersOf } from '../../../../native-workers/metrics/rows.ts';
import { HoneError } from '../../../../native-workers/protocol/errors.ts';
import { openRuntime } from '../../../../native-workers/runtimes/coreml-artifact.ts';
import { openEngine } from '../../../../native-workers/runtimes/onnxruntime.ts';
import {
  areClose,
  conformanceBaseline,
  conformanceFolder,
  conformanceTests,
  testTensor,
} from '../../../helpers/conformance.ts';
import { makeOperandsConstant } from '../../../helpers/constant-operands.ts';
import { computedParameters, violations } from '../../../helpers/mil-operators.ts';
import { hasShared } from '../../../helpers/shared.ts';

/** Of the tests that ONNX Runtime itself passes. What is refused is refused by name, with a reason. */
const FEWEST = 1333;
/** Has all forms: fused attention, blocks of 4 bits. */
const TARGET = 18;
const options = { ...COREML_DEFAULTS, precision: 'float32', target: `iOS${TARGET}`, batch: 0 } as const;

type Verdict = 'pass' | 'refused' | 'differs' | 'error';

describe.skipIf(!hasShared)('operator tests through Core ML packages', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'hone-coreml-'));
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));
  const outcomes = new Map<string, { verdict: Verdict; detail: string }>();

  beforeAll(async () => {
    const engine = await openEngine();
    const baseline = conformanceBaseline();
    for (const name of conformanceTests()) {
      if (baseline[name]?.recheck !== 'pass') continue;
      outcomes.set(name, await run(name, engine, scratch));
    }
  }, 600_000);

  const of = (verdict: Verdict): string[] =>
    [...outcomes].filter(([, each]) => each.verdict === verdict).map(([name, { detail }]) => `${name}: ${detail}`);

  it('pass or are refused before anything is written', () => {
    if (process.env['HONE_VERBOSE']) process.stderr.write(`${of('refused').join('\n')}\n`);
    process.stderr.write(`Core ML: ${of('pass').length} pass, ${of('refused').length} refused, ${outcomes.size} run\n`);
    expect([...of('differs'), ...of('error')]).toEqual([]);
  });

  it('are supported in such number', () => {
    expect(of('pass').length).toBeGreaterThanOrEqual(FEWEST);
  });
});

async function run(name: string, engine: Engine, scratch: string): Promise<{ verdict: Verdict; detail: string }> {
  const test = join(conformanceFolder(), name);
  const folder = join(scratch, name);
  try {
    const source = join(test, 'model.onnx');
    const model = readOnnx(source);
    const prepared = (): Promise<never> => Promise.reject(new Error('Core ML prepares the model itself'));
    const context = { engine, source, scratch, prepared, progress: async () => undefined };
    const feeds: Feeds = {};
    const inputs = [...model.graph.inputs];
    makeOperandsConstant(model, test, (index) => testTensor(test, 'input', index));
    inputs.forEach((input, index) => {
      const tensor = input.isConstant ? null : testTensor(test, 'input', index);
      if (tensor !== null) feeds[input.name] = toHostTensor(tensor);
    });
    const { unsupported } = await coreml.coverage(model, options, context);
    if (unsupported[0]) return { verdict: 'refused', detail: unsupported[0].reason };
    mkdirSync(folder);
    const written = await coreml.write(model, folder, options, context);
    const { main } = readPackage(join(folder, written.path));
    const [unknown] = [...violations(main, TARGET), ...computedParameters(main, TARGET)];
    if (unknown !== undefined) return { verdict: 'error', detail: unknown };
    const runtime = await openRuntime();
    const session = await runtime.open(join(folder, written.path), written.signature, () => undefined);
    const results = await session.run(feeds);
    await session.release();
    for (const [index, { name: output }] of model.graph.outputs.entries()) {
      const expected = testTensor(test, 'output', index);
      if (expected === null) continue;
      const difference = compare(results[output], expected);
      if (difference !== null) return { verdict: 'differs', detail: `${output}: ${difference}` };
    }
    return { verdict: 'pass', detail: '' };
  } catch (thrown) {
    const isRefusal = thrown instanceof HoneError && thrown.code === 'operator-unsupported';
    return { verdict: isRefusal ? 'refused' : 'error', detail: String(thrown) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Values, as numbers: Core ML has fewer types. float16 tests are computed in float32. */
function compare(actual: Feeds[string] | undefined, expected: Tensor): string | null {
  if (actual === undefined) return 'no output';
  const found = numbersOf(actual);
  const wanted = toNumbers(expected);
  if (found === null || found.length !== wanted.length) return `${found?.length} elements for ${wanted.length}`;
  const half = expected.dtype === 'float16';
  for (let index = 0; index < wanted.length; index++) {
    const [x, y] = [found[index] ?? 0, wanted[index] ?? 0];
    if (!areClose(x, y, half)) return `${x} for ${y} at ${index}`;
  }
  return null;
}
