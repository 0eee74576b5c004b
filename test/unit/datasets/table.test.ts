import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Dataset } from '../../../native-workers/datasets/dataset.ts';
import { type OpenOptions, openDataset } from '../../../native-workers/datasets/open-dataset.ts';
import type { ModelSignature } from '../../../native-workers/datasets/signature.ts';
import { writeFiles } from '../../helpers/sample-pictures.ts';
import { numbers, readBatches, signature } from '../../helpers/signatures.ts';
import { temporaryFolder } from '../../helpers/temp.ts';
import { wordTokenizer } from '../../helpers/word-tokenizer.ts';

function open(name: string, text: string, model: ModelSignature, options: OpenOptions = {}): Promise<Dataset> {
  return openDataset(join(writeFiles(temporaryFolder(), { [name]: text }), name), model, options);
}

const pair = signature({ a: ['float32', ['n', 2]], b: ['int64', ['n', 1]] }, { y: ['float32', ['n', 2]] });

describe('openTable', () => {
  it('gives one sample at a time where an input is a scalar, the others with a batch of one', async () => {
    const model = signature({ gain: ['float32', []], x: ['float32', ['n', 2]] });
    const data = await open('data.csv', 'gain,x\n5,"[1,2]"\n6,"[3,4]"\n', model);
    const batches = await readBatches(data, 8);
    expect(batches.map(({ feeds }) => [feeds['gain'], feeds['x']])).toMatchObject([
      [
        { shape: [], data: Float32Array.of(5) },
        { shape: [1, 2], data: Float32Array.of(1, 2) },
      ],
      [
        { shape: [], data: Float32Array.of(6) },
        { shape: [1, 2], data: Float32Array.of(3, 4) },
      ],
    ]);
  });

  it('reads a column for each input from .jsonl, with labels and groups', async () => {
    const data = await open(
      'd.jsonl',
      '{"a":[1,2],"b":3,"label":"x","group":"g"}\n\n{"a":[4,5],"b":[6],"label":"w","group":"h"}\n',
      pair,
    );
    expect(data).toMatchObject({ kind: 'jsonl', samples: 2, classes: ['w', 'x'], grouped: true });
    const [batch] = await readBatches(data, 8);
    expect(numbers(batch?.feeds['a'])).toEqual([1, 2, 4, 5]);
    expect(batch?.feeds['b']).toEqual({ dtype: 'int64', shape: [2, 1], data: BigInt64Array.of(3n, 6n) });
    expect(batch).toMatchObject({ labels: [1, 0], groups: ['g', 'h'], samples: ['0', '1'] });
  });

  it('reads lists and numbers from .csv, with a byte order mark and quotes', async () => {
    const data = await open('d.csv', '\ufeffa,b,label\n"[1, 2]",3,0\n4 5,6,1\n', pair);
    const [batch] = await readBatches(data, 8);
    expect(numbers(batch?.feeds['a'])).toEqual([1, 2, 4, 5]);
    expect(batch?.labels).toEqual([0, 1]);
  });

  it('fills the only input from the columns of numbers, in their order, and says so', async () => {
    const model = signature({ x: ['float32', ['n', 3]] }, { y: ['float32', ['n', 1]] });
    const data = await open('d.csv', 'id,height,width,depth,label\n7,1,2,3,0.5\n8,4,5,6,1.5\n', model);
    expect(data.notes).toMatchObject([
      { code: 'columns-by-position', message: expect.stringContaining('height, width, depth') },
    ]);
    const [batch] = await readBatches(data, 8);
    expect(numbers(batch?.feeds['x'])).toEqual([1, 2, 3, 4, 5, 6]);
    expect(batch?.labels).toEqual([0.5, 1.5]);
    await expect(open('d.csv', 'height,width\n1,2\n', model)).rejects.toMatchObject({ code: 'data-mismatch' });
  });

  it('names the inputs that no column fills', async () => {
    await expect(open('d.jsonl', '{"c":1}\n', pair)).rejects.toMatchObject({
      code: 'data-mismatch',
      message: expect.stringContaining("'a', 'b'"),
    });
    await expect(open('d.jsonl', '{"a":[1,2,3],"b":1}\n', pair)).rejects.toMatchObject({ code: 'data-mismatch' });
  });

  it('skips, counts and lists rows that cannot be read or do not fit', async () => {
    const lines = [
      '{"a":[1,2],"b":1}',
      '{"a":[1,2',
      '{"a":[1],"b":1}',
      '{"a":[1,"x"],"b":1}',
      '[1]',
      '{"a":[1,[2]],"b":1}',
      '{"a":[3,4],"b":2}',
    ];
    const data = await open('d.jsonl', lines.join('\n'), pair);
    const batches = await readBatches(data, 8);
    expect(batches.map(({ feeds }) => numbers(feeds['a']))).toEqual([[1, 2, 3, 4]]);
    expect(data.skipped.map(({ sample }) => sample)).toEqual(['line 2', '1', '2', 'line 5', '3']);
    const csv = await open('d.csv', 'a,b\n1 2,1\n1 2,1,9,9\n,2\n3 4,2\n', pair);
    expect((await readBatches(csv, 8)).map(({ feeds }) => numbers(feeds['a']))).toEqual([[1, 2, 3, 4]]);
    expect(csv.skipped).toHaveLength(2);
  });

  it('says that a table is empty or of no kind', async () => {
    await expect(open('d.jsonl', '\n', pair)).rejects.toMatchObject({ code: 'data-empty' });
    await expect(open('d.csv', 'a,b\n', pair)).rejects.toMatchObject({ code: 'data-empty' });
    await expect(open('d.parquet', 'PAR1', pair)).rejects.toMatchObject({ code: 'data-unreadable' });
    await expect(openDataset(join(temporaryFolder(), 'none.csv'), pair)).rejects.toMatchObject({
      code: 'file-missing',
    });
  });

  it('gives rows of another length in a batch of their own, as nothing says how to fill them', async () => {
    const model = signature({ ids: ['int64', ['n', 't']] });
    const data = await open('d.jsonl', '{"ids":[1,2]}\n{"ids":[3,4]}\n{"ids":[5]}\n', model);
    expect((await readBatches(data, 8)).map(({ feeds }) => feeds['ids']?.shape)).toEqual([
      [2, 2],
      [1, 1],
    ]);
  });
});

const text = (length: number | string, limit?: number): ModelSignature =>
  signature(
    {
      input_ids: ['int64', ['n', length]],
      attention_mask: ['int64', ['n', length]],
      token_type_ids: ['int64', ['n', length]],
    },
    { logits: ['float32', ['n', 2]] },
    limit === undefined ? {} : { input_ids: limit },
  );

async function feedsOf(lines: string, model: ModelSignature, preprocess = {}): Promise<Record<string, number[][]>[]> {
  const folder = writeFiles(temporaryFolder(), { 'd.jsonl': lines, 'tokenizer.json': wordTokenizer });
  const data = await openDataset(join(folder, 'd.jsonl'), model, { preprocess });
  return (await readBatches(data, 8)).map(({ feeds }) =>
    Object.fromEntries(
      Object.entries(feeds).map(([name, tensor]) => {
        const width = tensor.shape[1] ?? 1;
        const all = numbers(tensor);
        return [
          name,
          Array.from({ length: tensor.shape[0] ?? 0 }, (_, row) => all.slice(row * width, (row + 1) * width)),
        ];
      }),
    ),
  );
}

describe('text columns', () => {
  const lines = '{"text":"a b c d","label":1}\n{"text":"b","label":0}\n';

  it('are tokenized and filled to the longest of the batch, or to a given length', async () => {
    expect(await feedsOf(lines, text('t', 8))).toEqual([
      {
        input_ids: [
          [2, 4, 5, 6, 7, 3],
          [2, 5, 3, 0, 0, 0],
        ],
        attention_mask: [
          [1, 1, 1, 1, 1, 1],
          [1, 1, 1, 0, 0, 0],
        ],
        token_type_ids: [
          [0, 0, 0, 0, 0, 0],
          [0, 0, 0, 0, 0, 0],
        ],
      },
    ]);
    const [fixed] = await feedsOf(lines, text(7));
    expect(fixed?.['input_ids']).toEqual([
      [2, 4, 5, 6, 7, 3, 0],
      [2, 5, 3, 0, 0, 0, 0],
    ]);
  });

  it('are cut so that the special tokens stay', async () => {
    const [batch] = await feedsOf(lines, text('t'), { maxLength: 4 });
    expect(batch?.['input_ids']).toEqual([
      [2, 4, 5, 3],
      [2, 5, 3, 0],
    ]);
    const pairs = '{"sentence1":"a b c","sentence2":"d"}\n';
    const [whole] = await feedsOf(pairs, text('t'));
    expect(whole).toMatchObject({ input_ids: [[2, 4, 5, 6, 3, 7, 3]], token_type_ids: [[0, 0, 0, 0, 0, 1, 1]] });
    const [cut] = await feedsOf(pairs, text('t'), { maxLength: 5 });
    expect(cut).toMatchObject({ input_ids: [[2, 4, 3, 7, 3]], token_type_ids: [[0, 0, 0, 1, 1]] });
  });

  it('are not filled up for a model without a mask', async () => {
    const batches = await feedsOf(lines, signature({ input_ids: ['int64', ['n', 't']] }));
    expect(batches.map((batch) => batch['input_ids'])).toEqual([[[2, 4, 5, 6, 7, 3]], [[2, 5, 3]]]);
  });

  it('need a tokenizer that is there, can be read and has the vocabulary of the model', async () => {
    await expect(open('d.jsonl', lines, text('t'))).rejects.toMatchObject({
      code: 'data-mismatch',
      message: expect.stringContaining('tokenizer.json'),
    });
    await expect(
      open('d.jsonl', lines, text('t'), { preprocess: { tokenizer: '/nowhere/tokenizer.json' } }),
    ).rejects.toMatchObject({ code: 'file-missing' });
    const broken = join(writeFiles(temporaryFolder(), { 'tokenizer.json': '{"model":{}}' }), 'tokenizer.json');
    await expect(open('d.jsonl', lines, text('t'), { preprocess: { tokenizer: broken } })).rejects.toMatchObject({
      code: 'data-unreadable',
    });
    await expect(feedsOf(lines, text('t', 6))).rejects.toMatchObject({
      code: 'data-mismatch',
      message: expect.stringContaining('table of 6'),
    });
    await expect(feedsOf(lines, text('t', 1000))).rejects.toMatchObject({
      code: 'data-mismatch',
      message: expect.stringContaining('table of 1000'),
    });
    await expect(
      feedsOf(lines, signature({ input_ids: ['int64', ['n', 't']], past: ['float32', ['n', 4]] })),
    ).rejects.toMatchObject({
      code: 'data-mismatch',
      message: expect.stringContaining("'past'"),
    });
  });
});
