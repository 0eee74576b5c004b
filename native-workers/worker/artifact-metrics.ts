/** The task's metrics on labelled data, of the source model on the engine and of an artifact on its own runtime. */
import type { ArtifactTarget, WrittenArtifact } from '../artifacts/target.ts';
import { openDataset } from '../datasets/open-dataset.ts';
import { type ModelSignature, signatureOf } from '../datasets/signature.ts';
import type { Model } from '../graph/model.ts';
import type { Engine, Session, ValueInfo } from '../lib/engine.ts';
import { judge } from '../metrics/evaluate.ts';
import type { Verification } from '../protocol/package-facts.ts';
import type { Preprocess } from '../protocol/request.ts';
import { ArtifactClient } from '../verify/artifact-client.ts';
import { compareOnData } from './evaluation.ts';
import type { JobContext } from './job.ts';

export interface ArtifactMetricsRequest {
  readonly engine: Engine;
  /** Path of the source model, and the model. */
  readonly source: string;
  readonly model: Model;
  readonly target: ArtifactTarget;
  /** Of the artifact's main file or folder. */
  readonly path: string;
  readonly written: WrittenArtifact;
  readonly data: string;
  readonly preprocess: Preprocess | undefined;
  /** Most samples. */
  readonly samples: number;
  readonly seed: number;
}

/** Empty when the data has no labels or no metric fits. Throws what data, models and runtimes throw. */
export async function artifactMetrics(
  request: ArtifactMetricsRequest,
  context: JobContext,
): Promise<NonNullable<Verification['metrics']>> {
  const { engine, source, target, written, path, preprocess, samples, seed } = request;
  const signature = fixedSignature(request.model, written);
  const data = await openDataset(request.data, signature, {
    model: source,
    ...(preprocess === undefined ? {} : { preprocess }),
  });
  let before: Session | null = null;
  let client: ArtifactClient | null = null;
  try {
    if (!data.labelled) return [];
    before = await engine.open(source, { threads: 1 });
    const opened = await ArtifactClient.open(target.runtimeModule, path, written.signature);
    client = opened.client;
    const running = client;
    const after: Session = {
      inputs: before.inputs,
      outputs: before.outputs,
      run: (feeds) => running.run(feeds),
      release: () => running.end(),
    };
    const found = await compareOnData(
      {
        request: { engine, before: source, after: null, data: request.data, samples, seed },
        signature,
        before,
        after,
        data,
      },
      { ...context, progress: (progress) => context.progress({ ...progress, phase: `${target.title}: measuring` }) },
    );
    if (found.task === null) return [];
    const { name: task, classes } = found.task;
    return judge({ task, classes, before: found.before, after: found.after, groups: null }, seed).metrics.map(
      ({ name, better, unit, before: was, after: is, samples: count }) => ({
        name,
        better,
        unit,
        before: was,
        after: is,
        samples: count,
      }),
    );
  } finally {
    await client?.end();
    await before?.release();
    await data.close();
  }
}

/** The model's inputs with the sizes that the artifact fixed, so that batches are made as it takes them. */
function fixedSignature(model: Model, { signature }: WrittenArtifact): ModelSignature {
  const own = signatureOf(model);
  const inputs = own.inputs.map((input): ValueInfo => {
    const shape = signature.inputs.find(({ source }) => source === input.name)?.shape;
    const { type } = input;
    if (shape === undefined || type.kind !== 'tensor' || type.shape?.length !== shape.length) return input;
    return { ...input, type: { ...type, shape: type.shape.map((dim, axis) => shape[axis] ?? dim) } };
  });
  return { ...own, inputs };
}
