/** The search for the first operator that an artifact computes differently, with the target's own writer and runtime. */
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import type { ArtifactTarget, PreparedModel, TargetContext } from '../artifacts/target.ts';
import { writeOnnx } from '../formats/onnx/write.ts';
import { quantizationOf } from '../graph/inspect-quantization.ts';
import type { Model } from '../graph/model.ts';
import type { Feeds } from '../lib/engine.ts';
import { ArtifactClient } from '../verify/artifact-client.ts';
import { type Divergence, firstDivergence, type ProbedArtifact } from '../verify/bisect.ts';
import { differences } from '../verify/verify-artifact.ts';
import { modelOpener, typesOf } from './engine-models.ts';
import { prepareModel } from './prepare-model.ts';

/** Between a Quantize and a Dequantize one rounding is a whole step of 255: no sign of a wrong operator. */
const QUANTIZED_TOLERANCE = 3 / 255;

export interface BisectArtifactRequest<Options extends object> {
  readonly target: ArtifactTarget<Options>;
  readonly options: Options;
  readonly model: Model;
  readonly context: TargetContext;
  readonly inputs: readonly Feeds[];
}

/** null when it could not be found. Throws `cancelled`. */
export async function bisectArtifact<Options extends object>(
  request: BisectArtifactRequest<Options>,
): Promise<Divergence | null> {
  const { target, options, model, context, inputs } = request;
  const { engine } = context;
  const scratch = await mkdtemp(join(context.scratch, 'bisect-'));
  const tolerance = {
    ...target.tolerance,
    float:
      quantizationOf(model).size > 0 ? Math.max(target.tolerance.float, QUANTIZED_TOLERANCE) : target.tolerance.float,
  };
  const artifactOf = async (probe: Model): Promise<ProbedArtifact> => {
    const folder = await mkdtemp(join(scratch, 'probe-'));
    const out = await mkdtemp(join(scratch, 'artifact-'));
    const source = join(folder, 'probe.onnx');
    await writeOnnx(probe, source);
    let prepared: Promise<PreparedModel> | null = null;
    const written = await target.write(probe, out, options, {
      engine,
      source,
      scratch: folder,
      prepared: () => {
        prepared ??= prepareModel(probe, engine, folder);
        return prepared;
      },
      progress: async () => undefined,
    });
    const path = join(out, written.path);
    const { client } = await ArtifactClient.open(target.runtimeModule, path, written.signature);
    return {
      run: (feeds) => client.run(feeds),
      operators: async () => (await written.operators?.()) ?? [],
      release: () => client.end(),
    };
  };
  const open = modelOpener(engine, scratch);
  return firstDivergence({
    model,
    types: await typesOf(engine, scratch)(model),
    open: (probe) => open(probe, target.referenceOptions?.(options)),
    artifactOf,
    inputs,
    differs: (difference) => differences(difference, tolerance).length > 0,
    progress: (done, total) => context.progress(done, total, 'looking for the operator that differs'),
  });
}
