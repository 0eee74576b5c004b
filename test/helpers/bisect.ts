/** The bisect on a tiny model whose input x is [1, 2, 4, 4], or another shape with its data. */
import { join } from 'node:path';
import type { ArtifactTarget } from '../../native-workers/artifacts/target.ts';
import { writeOnnx } from '../../native-workers/formats/onnx/write.ts';
import type { Model } from '../../native-workers/graph/model.ts';
import type { Value } from '../../native-workers/graph/value.ts';
import type { Engine, HostTensor } from '../../native-workers/lib/engine.ts';
import type { Divergence } from '../../native-workers/verify/bisect.ts';
import { bisectArtifact } from '../../native-workers/worker/bisect-artifact.ts';
import { prepareModel } from '../../native-workers/worker/prepare-model.ts';
import { ModelBuilder } from './models.ts';
import { temporaryFolder } from './temp.ts';

const WAVES: HostTensor = {
  dtype: 'float32',
  shape: [1, 2, 4, 4],
  data: Float32Array.from({ length: 32 }, (_, index) => 8 * Math.sin(index + 1)),
};

/** The first operator that the artifact gets wrong; null when it gets all right. */
export async function bisectTarget<Options extends object>(
  engine: Engine,
  target: ArtifactTarget<Options>,
  options: Options,
  model: Model,
  x: HostTensor = WAVES,
): Promise<Divergence | null> {
  const scratch = temporaryFolder();
  const source = join(scratch, 'model.onnx');
  await writeOnnx(model, source);
  const context = {
    engine,
    source,
    scratch,
    prepared: (batch?: number) => prepareModel(model, engine, scratch, batch),
    progress: async () => undefined,
  };
  return bisectArtifact({ target, options, model, context, inputs: [{ x }] });
}

/** x -> Conv -> what `middle` makes of it -> Sigmoid -> GlobalAveragePool. */
export function chainOf(middle: (build: ModelBuilder, convolved: Value) => Value): Model {
  const build = new ModelBuilder();
  const convolved = build.op('Conv', [build.input('x', [1, 2, 4, 4]), build.weight('w', [3, 2, 1, 1], 1)], 'conv');
  const sigmoid = build.op('Sigmoid', [middle(build, convolved)], 'sigmoid');
  return build.outputs(build.op('GlobalAveragePool', [sigmoid], 'y')).model();
}
