/** What a model will be fed of a data set, before anything runs. The model itself is not run. */
import { openDataset } from '../datasets/open-dataset.ts';
import { previewDataset } from '../datasets/preview.ts';
import { signatureOf } from '../datasets/signature.ts';
import { openModel } from '../formats/registry.ts';
import type { Job } from './job.ts';

export const previewData: Job<'preview-data'> = async ({ model, data, preprocess, count, only }, context) => {
  await context.progress({ phase: 'reading samples', done: 0, total: count });
  const signature = signatureOf(await openModel(model));
  const dataset = await openDataset(data, signature, { model, ...(preprocess === undefined ? {} : { preprocess }) });
  try {
    return await previewDataset(dataset, signature, only ?? { count });
  } finally {
    await dataset.close();
  }
};
