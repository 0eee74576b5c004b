/** Real TFLite models, opened as ONNX, give the outputs that LiteRT gave: float to 1e-5, integers exactly. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { tflite } from '../../native-workers/artifacts/tflite.ts';
import { TFLITE_DEFAULTS } from '../../native-workers/artifacts/tflite-options.ts';
import { describeEnvironment } from '../../native-workers/bench/environment.ts';
import { onnxBytes } from '../../native-workers/formats/onnx/write.ts';
import { openModel } from '../../native-workers/formats/registry.ts';
import { readTflite } from '../../native-workers/formats/tflite/read.ts';
import { validate } from '../../native-workers/graph/validate.ts';
import type { Engine, HostTensor, Session } from '../../native-workers/lib/engine.ts';
import { LiteRt } from '../../native-workers/runtimes/litert.ts';
import { openEngine } from '../../native-workers/runtimes/onnxruntime.ts';
import { Comparison, type Difference } from '../../native-workers/verify/compare.ts';
import { readNpz } from '../helpers/npz-read.ts';
import { hasShared, SHARED } from '../helpers/shared.ts';
import { temporaryFolder } from '../helpers/temp.ts';
import { operatorCounts, tfliteContext } from '../helpers/tflite.ts';

interface Listed {
  readonly models: readonly {
    readonly file: string;
    readonly golden?: { readonly cases: readonly { readonly case: string }[] };
  }[];
}

const QUANTIZED = /int8|quant|ptq/;

/** Exact everywhere: its weights are too small to saturate. */
const EXACT = 'vww_96_int8.tflite';

/**
 * Steps that another quantized output may differ by in any case. On x86 without VNNI, ONNX Runtime adds products of uint8 and
 * int8 in 16 bits that saturate (compression.md 1.6), so that nothing can be asked for there but the bound of 3.
 */
async function allowedSteps(): Promise<number> {
  const { features } = await describeEnvironment('');
  const isWide = process.arch === 'arm64' || features.some((feature) => feature.includes('vnni'));
  return isWide ? 0 : 3;
}

const listed = hasShared
  ? (JSON.parse(readFileSync(join(SHARED, 'real', 'models.json'), 'utf8')) as Listed).models
  : [];
const models = listed.filter(({ file }) => file.endsWith('.tflite'));

describe.skipIf(!hasShared)('real TFLite models', () => {
  let engine: Engine;
  let allowed: number;
  beforeAll(async () => {
    allowed = await allowedSteps();
    engine = await openEngine();
  });

  it.each(models.map(({ file, golden }) => ({ file, cases: golden?.cases.map((each) => each.case) ?? [] })))(
    '$file',
    async ({ file, cases }) => {
      const model = readTflite(join(SHARED, 'real', file));
      validate(model);
      const session: Session = await engine.open(onnxBytes(model));
      const names = session.outputs.map((output) => output.name);
      const differences: Record<string, Difference> = {};
      for (const name of cases) {
        const arrays = await readNpz(join(SHARED, 'real', 'golden', file, `${name}.npz`));
        const feeds = session.inputs.map((input, index) => [input.name, arrays[`in${index}`] as HostTensor]);
        const expected = names.map((output, index) => [output, arrays[`out${index}`] as HostTensor]);
        const comparison = new Comparison();
        comparison.add(Object.fromEntries(expected), await session.run(Object.fromEntries(feeds)));
        differences[name] = comparison.result();
      }
      await session.release();
      expect(Object.keys(differences)).toEqual(cases);
      expect(cases.length).toBeGreaterThanOrEqual(3);
      for (const { missing, steps, maxAbs, reference } of Object.values(differences)) {
        expect(missing).toEqual([]);
        if (steps === null) expect(maxAbs / Math.max(reference, 1e-6)).toBeLessThanOrEqual(1e-5);
        else expect(steps.max).toBeLessThanOrEqual(file === EXACT ? 0 : allowed);
      }
    },
  );

  it.each(models.filter(({ file }) => QUANTIZED.test(file)))(
    '$file is written as it was, and gives the same integers on LiteRT',
    async ({ file, golden }) => {
      const folder = temporaryFolder();
      const source = join(SHARED, 'real', file);
      const model = await openModel(source);
      model.source = null;
      const context = await tfliteContext(model, folder);
      const { path } = await tflite.write(model, folder, TFLITE_DEFAULTS, context);
      const bytes = readFileSync(join(folder, path));
      const counts = operatorCounts(bytes);
      expect(counts).toEqual(operatorCounts(readFileSync(source)));
      const runtime = await LiteRt.create();
      const session = await runtime.open(bytes);
      for (const { case: name } of golden?.cases ?? []) {
        const arrays = await readNpz(join(SHARED, 'real', 'golden', file, `${name}.npz`));
        const feeds = session.inputs.map((input, index) => [input.name, arrays[`in${index}`] as HostTensor]);
        const outputs = await session.run(Object.fromEntries(feeds));
        session.outputs.forEach((output, index) => {
          expect(outputs[output.name]?.data).toEqual(arrays[`out${index}`]?.data);
        });
      }
      session.release();
    },
    60_000,
  );
});
