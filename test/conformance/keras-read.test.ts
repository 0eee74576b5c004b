/** Real Keras models give what LiteRT computed with their TFLite twins, in which batch normalization is folded: floats to 1e-5. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { onnxBytes } from '../../native-workers/formats/onnx/write.ts';
import { openModel } from '../../native-workers/formats/registry.ts';
import { validate } from '../../native-workers/graph/validate.ts';
import type { Engine, HostTensor } from '../../native-workers/lib/engine.ts';
import { openEngine } from '../../native-workers/runtimes/onnxruntime.ts';
import { Comparison } from '../../native-workers/verify/compare.ts';
import { readNpz } from '../helpers/npz-read.ts';
import { hasShared, SHARED } from '../helpers/shared.ts';

interface Listed {
  readonly models: readonly {
    readonly file: string;
    readonly golden_of?: string;
    readonly golden?: { readonly cases: readonly { readonly case: string }[] };
  }[];
}

const listed = hasShared
  ? (JSON.parse(readFileSync(join(SHARED, 'real', 'models.json'), 'utf8')) as Listed).models
  : [];
const models = listed.filter(({ file }) => file.endsWith('.h5'));

describe.skipIf(!hasShared)('real Keras models', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await openEngine();
  });

  it('are listed', () => {
    expect(models.map(({ file }) => file)).toEqual(['vww_96.h5', 'pretrainedResnet.h5']);
  });

  it.each(models)('$file', async ({ file, golden_of: twin = '' }) => {
    const model = await openModel(join(SHARED, 'real', file));
    validate(model);
    // One change of layout, at the input, as in the twin.
    expect([...model.graph.nodes].filter(({ opType }) => opType === 'Transpose')).toHaveLength(1);
    const session = await engine.open(onnxBytes(model));
    const [input, output] = [session.inputs[0]?.name ?? '', session.outputs[0]?.name ?? ''];
    const comparison = new Comparison();
    const cases = listed.find((each) => each.file === twin)?.golden?.cases ?? [];
    for (const { case: name } of cases) {
      const arrays = await readNpz(join(SHARED, 'real', 'golden', twin, `${name}.npz`));
      const outputs = await session.run({ [input]: arrays['in0'] as HostTensor });
      comparison.add({ [output]: arrays['out0'] as HostTensor }, outputs);
    }
    await session.release();
    const result = comparison.result();
    expect(result.samples).toBeGreaterThanOrEqual(5);
    expect(result.missing).toEqual([]);
    expect(result.top1Agreement).toBe(1);
    expect(result.maxAbs / result.reference).toBeLessThanOrEqual(1e-5);
  });
});
