/** TfIdfVectorizer as comparisons: what the engine says of the model before and after. */
import { describe, expect, it } from 'vitest';
import { onnxBytes } from '../../../native-workers/formats/onnx/write.ts';
import { floatsAttribute, stringAttribute, stringsAttribute } from '../../../native-workers/graph/attribute.ts';
import { cloneModel } from '../../../native-workers/graph/clone.ts';
import { expandNgrams } from '../../../native-workers/graph/expand-ngrams.ts';
import type { Model } from '../../../native-workers/graph/model.ts';
import { validate } from '../../../native-workers/graph/validate.ts';
import type { HostTensor } from '../../../native-workers/lib/engine.ts';
import { openEngine } from '../../../native-workers/runtimes/onnxruntime.ts';
import { ModelBuilder } from '../../helpers/models.ts';

const engine = await openEngine();
const DATA = [1, 1, 3, 3, 3, 7, 8, 6, 7, 5, 6, 8];

function vectorizer(shape: readonly number[], mode: string, least: number, most: number, skips: number): Model {
  const build = new ModelBuilder();
  const y = build.op('TfIdfVectorizer', [build.input('x', shape, 'int32')], 'y', {
    mode: stringAttribute(mode),
    min_gram_length: least,
    max_gram_length: most,
    max_skip_count: skips,
    ngram_counts: [0, 4, 10],
    // One column is for no n-gram.
    ngram_indexes: [3, 1, 0, 2, 5, 6, 4, 8],
    pool_int64s: [2, 3, 5, 7, 5, 6, 7, 8, 6, 7, 3, 3, 7],
    weights: floatsAttribute([0.5, 2, 1, 3, 0.25, 4, 1.5, 5]),
  });
  return build.outputs(y).model();
}

async function run(model: Model, shape: readonly number[]): Promise<HostTensor> {
  const session = await engine.open(onnxBytes(cloneModel(model).model));
  const { y } = await session.run({ x: { dtype: 'int32', shape, data: Int32Array.from(DATA) } });
  await session.release();
  if (y === undefined) throw new Error('no output y');
  return y;
}

describe('expandNgrams', () => {
  it.each([
    [[12], 'TF', 1, 3, 0],
    [[12], 'TF', 1, 2, 5],
    [[2, 6], 'TF', 2, 3, 1],
    [[12], 'IDF', 1, 3, 2],
    [[3, 4], 'TFIDF', 1, 3, 4],
    [[12], 'TFIDF', 3, 3, 0],
  ] as const)(
    'counts in %j as the engine does: %s of %i to %i elements, up to %i left out',
    async (shape, mode, least, most, skips) => {
      const model = vectorizer(shape, mode, least, most, skips);
      const before = await run(model, shape);
      expect(expandNgrams(model, new Map())).toBe(1);
      validate(model);
      const after = await run(model, shape);
      expect(after.shape).toEqual(before.shape);
      expect([...(after.data as Float32Array)]).toEqual([...(before.data as Float32Array)]);
    },
  );

  it('leaves texts as they are', () => {
    const model = vectorizer([12], 'TF', 1, 1, 0);
    for (const node of model.graph.nodes) node.attributes.set('pool_strings', stringsAttribute(['a']));
    expect(expandNgrams(model, new Map())).toBe(0);
  });
});
