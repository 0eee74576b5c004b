/** A data set whose batches are kept after the first walk, for a search that walks the same samples a dozen times. */
import type { Batch } from '../lib/batch.ts';
import type { Dataset } from './dataset.ts';

/** Keeps the batches of one batch size and limit while they fit `maxBytes`; beyond that every walk reads again. */
export function cachedDataset(dataset: Dataset, maxBytes: number): Dataset {
  const kept = new Map<string, readonly Batch[]>();
  return {
    name: dataset.name,
    kind: dataset.kind,
    samples: dataset.samples,
    labelled: dataset.labelled,
    classes: dataset.classes,
    classesAssumed: dataset.classesAssumed,
    objectClasses: dataset.objectClasses,
    grouped: dataset.grouped,
    preprocess: dataset.preprocess,
    reading: dataset.reading,
    notes: dataset.notes,
    batchless: dataset.batchless,
    get skipped() {
      return dataset.skipped;
    },
    sha256: () => dataset.sha256(),
    knownLabels: (options) => dataset.knownLabels(options),
    close: () => dataset.close(),
    async *batches(batchSize, options = {}) {
      const key = `${batchSize}/${options.limit ?? ''}/${options.seed ?? ''}`;
      const known = kept.get(key);
      if (known !== undefined) {
        yield* known;
        return;
      }
      const batches: Batch[] = [];
      let bytes = 0;
      for await (const batch of dataset.batches(batchSize, options)) {
        bytes += sizeOf(batch);
        if (bytes <= maxBytes) batches.push(batch);
        yield batch;
      }
      if (bytes <= maxBytes) kept.set(key, batches);
    },
  };
}

function sizeOf(batch: Batch): number {
  return Object.values(batch.feeds).reduce(
    (sum, { data }) => sum + (ArrayBuffer.isView(data) ? data.byteLength : 0),
    0,
  );
}
