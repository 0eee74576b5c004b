/** Models through the TFLite target: prepared, written, and run on LiteRT in its own process against ONNX Runtime. */
import { join } from 'node:path';
import type { TargetContext, WrittenArtifact } from '../../native-workers/artifacts/target.ts';
import { tflite } from '../../native-workers/artifacts/tflite.ts';
import { TFLITE_DEFAULTS, type TfliteOptions } from '../../native-workers/artifacts/tflite-options.ts';
import { runnableBatches } from '../../native-workers/datasets/batching.ts';
import { seededInputs } from '../../native-workers/datasets/seeded-inputs.ts';
import { signatureOf } from '../../native-workers/datasets/signature.ts';
import { writeOnnx } from '../../native-workers/formats/onnx/write.ts';
import { operatorName, slotOf } from '../../native-workers/formats/tflite/schema.ts';
import type { Model } from '../../native-workers/graph/model.ts';
import type { Feeds } from '../../native-workers/lib/engine.ts';
import { FlatBuffer } from '../../native-workers/lib/flatbuffer-reader.ts';
import type { Verification } from '../../native-workers/protocol/package-facts.ts';
import { openEngine } from '../../native-workers/runtimes/onnxruntime.ts';
import { verifyArtifact } from '../../native-workers/verify/verify-artifact.ts';
import { prepareModel } from '../../native-workers/worker/prepare-model.ts';

export async function tfliteContext(model: Model, folder: string): Promise<TargetContext> {
  const engine = await openEngine();
  const source = join(folder, 'model.onnx');
  if (model.source === null) await writeOnnx(model, source);
  return {
    engine,
    source: model.source?.path ?? source,
    scratch: folder,
    prepared: (batch) => prepareModel(model, engine, folder, batch),
    progress: async () => undefined,
  };
}

export interface TfliteRun {
  readonly written: WrittenArtifact;
  readonly path: string;
  readonly verified: Verification;
}

export async function runTflite(
  model: Model,
  folder: string,
  options: Partial<TfliteOptions> = {},
  samples = 2,
  given: readonly Feeds[] | null = null,
): Promise<TfliteRun> {
  const context = await tfliteContext(model, folder);
  const written = await tflite.write(model, folder, { ...TFLITE_DEFAULTS, ...options }, context);
  const inputs: Feeds[] = [...(given ?? [])];
  if (given === null) {
    const signature = signatureOf(model);
    const data = seededInputs(signature, samples * (signature.inputs[0] ? leadingSize(model) : 1), 7);
    for await (const batch of runnableBatches(data, signature, { seed: 7 })) inputs.push(batch.feeds);
  }
  const reference = await context.engine.open(context.source, {
    threads: 1,
    ...tflite.referenceOptions?.(TFLITE_DEFAULTS),
  });
  const path = join(folder, written.path);
  const verified = await verifyArtifact({
    target: { ...tflite, tolerance: written.tolerance ?? tflite.tolerance },
    path,
    signature: written.signature,
    reference,
    inputs,
    watch: async () => undefined,
  });
  await reference.release();
  return { written, path, verified };
}

/** How often each operator stands in a file. */
export function operatorCounts(bytes: Uint8Array): Record<string, number> {
  const model = new FlatBuffer(bytes, 'the file').root();
  const codes = model
    .tables(slotOf('Model', 'operator_codes'))
    .map((code) => operatorName(code.int32(slotOf('OperatorCode', 'builtin_code'))) ?? 'unknown');
  const [graph] = model.tables(slotOf('Model', 'subgraphs'));
  const counts: Record<string, number> = {};
  for (const operator of graph?.tables(slotOf('SubGraph', 'operators')) ?? []) {
    const name = codes[operator.uint32(slotOf('Operator', 'opcode_index'))] ?? 'unknown';
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

/** Samples that one run takes: the first dimension of the first input where it is a number. */
function leadingSize(model: Model): number {
  const type = model.graph.inputs[0]?.type;
  const first = type?.kind === 'tensor' ? type.shape?.[0] : 1;
  return typeof first === 'number' ? Math.max(1, first) : 1;
}
