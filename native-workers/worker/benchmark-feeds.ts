/** Inputs of a benchmark from the user's data: the first batch, as the model takes it. */
import type { VariantPlan } from '../bench/plan.ts';
import { openDataset } from '../datasets/open-dataset.ts';
import { signatureOf } from '../datasets/signature.ts';
import { openModel } from '../formats/registry.ts';
import type { Feeds } from '../lib/engine.ts';
import { HoneError } from '../protocol/errors.ts';
import type { Preprocess } from '../protocol/request.ts';

/** One batch for each model and batch size, read once. Throws what opening the data throws. */
export function feedsFromData(data: string, preprocess: Preprocess | undefined): (plan: VariantPlan) => Promise<Feeds> {
  const known = new Map<string, Promise<Feeds>>();
  return ({ model, batch }) => {
    const key = `${batch ?? 1} ${model.path}`;
    const feeds = known.get(key) ?? firstBatch(model.path, data, preprocess, batch ?? 1);
    known.set(key, feeds);
    return feeds;
  };
}

async function firstBatch(
  model: string,
  data: string,
  preprocess: Preprocess | undefined,
  batch: number,
): Promise<Feeds> {
  const signature = signatureOf(await openModel(model));
  const dataset = await openDataset(data, signature, { model, ...(preprocess === undefined ? {} : { preprocess }) });
  try {
    for await (const { feeds } of dataset.batches(batch, { limit: batch })) return feeds;
    throw new HoneError('data-empty', `${data} holds no sample.`, { where: { file: data } });
  } finally {
    await dataset.close();
  }
}
