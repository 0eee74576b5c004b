import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openDataset } from '../../../native-workers/datasets/open-dataset.ts';
import { hasShared, SHARED } from '../../helpers/shared.ts';
import { numbers, readBatches, signature } from '../../helpers/signatures.ts';

describe.skipIf(!hasShared)('tokens of real texts', () => {
  it('are those that Hugging Face stored, for all 2000', async () => {
    const ids = ['int64', ['n', 't']] as const;
    const model = signature(
      { input_ids: ids, attention_mask: ids },
      { logits: ['float32', ['n', 20]] },
      { input_ids: 2048 },
    );
    const folder = join(SHARED, 'models', 'data', 'langid');
    const [stored] = await readBatches(await openDataset(join(folder, 'test.npz'), model), 2000);
    const [made] = await readBatches(
      await openDataset(join(folder, 'test.jsonl'), model, { preprocess: { maxLength: 64 } }),
      2000,
    );
    expect(made?.samples).toHaveLength(2000);
    expect(made?.labels).toEqual(stored?.labels);
    for (const name of ['input_ids', 'attention_mask'])
      expect(numbers(made?.feeds[name])).toEqual(numbers(stored?.feeds[name]));
  });
});
