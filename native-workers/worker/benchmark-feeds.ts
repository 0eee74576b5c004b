/** Inputs of a benchmark from the user's data: the first batch, as the model takes it. */
import { basename } from 'node:path';
import { checkBatch } from '../bench/inputs.ts';
import type { VariantPlan } from '../bench/plan.ts';
import { runnableBatches } from '../datasets/batching.ts';
import { openDataset } from '../datasets/open-dataset.ts';
import { batchRuleOf, signatureOf } from '../datasets/signature.ts';
import { openModel } from '../formats/registry.ts';
import type { Feeds } from '../lib/engine.ts';
import { HoneError, toHoneError } from '../protocol/errors.ts';
import type { Preprocess } from '../protocol/request.ts';
import type { JobContext } from './job.ts';

/**
 * Feeds from the first data set that can be read; null when none can, and the models are then timed on random inputs: data that
 * is broken costs the accuracy of a run, not its times. Each that is left out is a warning in the log.
 */
export async function feedsFromReadable(
  paths: readonly (string | undefined)[],
  model: string,
  preprocess: Preprocess | undefined,
  log: JobContext['log'],
): Promise<((plan: VariantPlan) => Promise<Feeds>) | null> {
  for (const data of paths) {
    if (data === undefined) continue;
    try {
      await firstBatch(model, data, preprocess, null);
      return feedsFromData(data, preprocess);
    } catch (thrown) {
      const error = toHoneError(thrown);
      if (error.kind !== 'input') throw error;
      log('warning', `Models are not timed on ${basename(data)}: ${error.message}`);
    }
  }
  return null;
}

/** One batch for each model and batch size, read once. Throws what opening the data throws. */
export function feedsFromData(data: string, preprocess: Preprocess | undefined): (plan: VariantPlan) => Promise<Feeds> {
  const known = new Map<string, Promise<Feeds>>();
  return ({ model, batch }) => {
    const key = `${batch ?? 1} ${model.path}`;
    const feeds = known.get(key) ?? firstBatch(model.path, data, preprocess, batch);
    known.set(key, feeds);
    return feeds;
  };
}

/** `batch` null: the model's own where it is fixed, else 1. Throws `data-mismatch` where it is fixed at another size. */
async function firstBatch(
  model: string,
  data: string,
  preprocess: Preprocess | undefined,
  batch: number | null,
): Promise<Feeds> {
  const signature = signatureOf(await openModel(model));
  const dataset = await openDataset(data, signature, { model, ...(preprocess === undefined ? {} : { preprocess }) });
  try {
    const rule = batchRuleOf(signature);
    if (batch !== null && !dataset.batchless) checkBatch(signature.inputs, batch);
    const batchSize = rule.kind === 'exactly' ? rule.size : (batch ?? 1);
    // No limit: where the first samples cannot be read, later ones are taken.
    for await (const { feeds } of runnableBatches(dataset, signature, { batchSize })) return feeds;
    throw new HoneError('data-empty', `${data} holds no sample.`, { where: { file: data } });
  } finally {
    await dataset.close();
  }
}
