/** The inspect job: the structure of a model as facts. The engine is loaded only where it must infer shapes. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inferTypes } from '../formats/onnx/infer-types.ts';
import { openModel } from '../formats/registry.ts';
import { inspectFacts, type MacResult, macsFromRecordedTypes, recordsAllShapes } from '../graph/inspect.ts';
import { countMacs } from '../graph/macs.ts';
import type { Model } from '../graph/model.ts';
import { staticShape } from '../graph/types.ts';
import type { Engine } from '../lib/engine.ts';
import { toHoneError } from '../protocol/errors.ts';
import type { InspectFacts } from '../protocol/facts.ts';
import { openEngine } from '../runtimes/onnxruntime.ts';
import type { Job } from './job.ts';

/** The engine's inference is quick per node, but not for free: a look at a model should take a second or two. */
const MOST_NODES_TO_INFER = 30_000;

export const inspect: Job<'inspect'> = async ({ model }, context) => {
  await context.progress({ phase: 'reading the model', done: 0, total: 2 });
  const opened = await openModel(model);
  await context.progress({ phase: 'looking at the graph', done: 1, total: 2 });
  return inspectModel(opened);
};

/** The facts of an opened model. `engine`: used where shapes must be inferred; loaded then unless given. */
export async function inspectModel(model: Model, engine?: Engine): Promise<InspectFacts> {
  return inspectFacts(model, await countModelMacs(model, engine));
}

/** From the types in the file where they say everything, else from the engine's inference, else from what there is. */
async function countModelMacs(model: Model, engine: Engine | undefined): Promise<MacResult> {
  const recorded = macsFromRecordedTypes(model);
  if (recordsAllShapes(model)) return recorded;
  const isTooLarge = model.graph.nodes.size > MOST_NODES_TO_INFER;
  if (isTooLarge) return recorded.macs === null ? { reason: 'the graph is too large to infer its shapes.' } : recorded;
  const scratch = mkdtempSync(join(tmpdir(), 'inspect-'));
  try {
    const inferred = await inferTypes(model, engine ?? (await openEngine()), scratch, { symbols: 'ones' });
    const counted = countMacs(inferred.model.graph, (value) => value.tensor?.shape ?? staticShape(value.type));
    return counted.macs === null && recorded.macs !== null ? recorded : counted;
  } catch (thrown) {
    // The engine may be missing or refuse the model; the rest of the facts stands all the same.
    return recorded.macs === null ? { reason: toHoneError(thrown).message } : recorded;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
