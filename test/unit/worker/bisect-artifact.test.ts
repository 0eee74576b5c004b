import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ort } from '../../../native-workers/artifacts/ort.ts';
import { ORT_DEFAULTS } from '../../../native-workers/artifacts/ort-options.ts';
import type { ArtifactTarget } from '../../../native-workers/artifacts/target.ts';
import { writeOnnx } from '../../../native-workers/formats/onnx/write.ts';
import { cloneModel } from '../../../native-workers/graph/clone.ts';
import { openEngine } from '../../../native-workers/runtimes/onnxruntime.ts';
import { bisectTarget } from '../../helpers/bisect.ts';
import { ModelBuilder } from '../../helpers/models.ts';

const engine = await openEngine();

/** The ORT target with a writer that takes Tanh for Sigmoid. */
const wrong: ArtifactTarget<typeof ORT_DEFAULTS> = {
  ...ort,
  async write(model, folder, options, context) {
    const copy = cloneModel(model).model;
    for (const node of copy.graph.nodes) if (node.opType === 'Tanh') node.opType = 'Sigmoid';
    const source = join(context.scratch, 'wrong.onnx');
    await writeOnnx(copy, source);
    return ort.write(copy, folder, options, { ...context, source });
  },
};

describe('bisectArtifact', () => {
  it('names the operator that the writer of a target gets wrong, as both formats do', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', [1, 4]);
    const tanh = build.op('Tanh', [build.op('Exp', [x], 'a')], 'b');
    const model = build.outputs(build.op('Softplus', [build.op('Neg', [tanh], 'c')], 'y')).model();
    const data = Float32Array.of(0.1, 0.2, 0.3, 0.4);
    const found = await bisectTarget(engine, wrong, ORT_DEFAULTS, model, { dtype: 'float32', shape: [1, 4], data });
    expect(found).toMatchObject({
      node: 'b_node',
      type: 'Tanh',
      artifact: 'Sigmoid 1 (b)',
      operators: [{ index: 1, type: 'Sigmoid', outputs: ['b'] }],
    });
    expect(found?.maxAbs).toBeGreaterThan(0.01);
  });
});
