/** Real TFLite models, opened as ONNX, give the outputs that LiteRT gave: float to 1e-5, integers to a few steps. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { onnxBytes } from '../../native-workers/formats/onnx/write.ts';
import { readTflite } from '../../native-workers/formats/tflite/read.ts';
import { validate } from '../../native-workers/graph/validate.ts';
import type { Engine, HostTensor, Session } from '../../native-workers/lib/engine.ts';
import { openEngine } from '../../native-workers/runtimes/onnxruntime.ts';
import { Comparison } from '../../native-workers/verify/compare.ts';
import { readNpz } from '../helpers/npz-read.ts';
import { hasShared, SHARED } from '../helpers/shared.ts';

interface Listed {
  readonly models: readonly {
    readonly file: string;
    readonly golden?: { readonly cases: readonly { readonly case: string }[] };
  }[];
}

/**
 * Largest difference in steps of integer outputs, where it is more than 3: TFLite adds and averages integers with another
 * rounding than ONNX Runtime, and one step before a softmax can be a dozen behind it. All other cases of these two are 0 to 4.
 */
const STEPS: Readonly<Record<string, number>> = {
  'tf2_mobilenet_v2_1.0_224_ptq.tflite': 15,
  'pretrainedResnet_quant.tflite': 12,
};

const listed = hasShared
  ? (JSON.parse(readFileSync(join(SHARED, 'real', 'models.json'), 'utf8')) as Listed).models
  : [];
const models = listed.filter(({ file }) => file.endsWith('.tflite'));

describe.skipIf(!hasShared)('real TFLite models', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await openEngine();
  });

  it.each(models.map(({ file, golden }) => ({ file, cases: golden?.cases.map((each) => each.case) ?? [] })))(
    '$file',
    async ({ file, cases }) => {
      const model = readTflite(join(SHARED, 'real', file));
      validate(model);
      const session: Session = await engine.open(onnxBytes(model));
      const comparison = new Comparison();
      for (const name of cases) {
        const arrays = await readNpz(join(SHARED, 'real', 'golden', file, `${name}.npz`));
        const feeds = Object.fromEntries(
          session.inputs.map((input, index) => [input.name, arrays[`in${index}`] as HostTensor]),
        );
        const outputs = await session.run(feeds);
        const names = session.outputs.map((output) => output.name);
        comparison.add(
          Object.fromEntries(names.map((output, index) => [output, arrays[`out${index}`] as HostTensor])),
          outputs,
        );
      }
      await session.release();
      const result = comparison.result();
      expect(result.missing).toEqual([]);
      expect(result.samples).toBeGreaterThan(0);
      if (result.steps === null) expect(result.maxAbs / Math.max(result.reference, 1e-6)).toBeLessThanOrEqual(1e-5);
      else expect(result.steps.max).toBeLessThanOrEqual(STEPS[file] ?? 3);
    },
  );
});
