import { describe, expect, it } from 'vitest';
import { seededInputs } from '../../../native-workers/datasets/seeded-inputs.ts';
import { signatureOf } from '../../../native-workers/datasets/signature.ts';
import { Graph } from '../../../native-workers/graph/graph.ts';
import { Model } from '../../../native-workers/graph/model.ts';
import { ModelBuilder } from '../../helpers/models.ts';
import { numbers, readBatches, signature } from '../../helpers/signatures.ts';

describe('seededInputs', () => {
  it('is the same for the same seed, whatever the batch, and normal', async () => {
    const model = signature({ x: ['float32', ['n', 3, 40, 40]] });
    const all = async (seed: number, size: number): Promise<number[]> =>
      (await readBatches(seededInputs(model, 4, seed), size)).flatMap(({ feeds }) => numbers(feeds['x']));
    const values = await all(1, 4);
    expect(values).toHaveLength(4 * 3 * 40 * 40);
    expect(await all(1, 1)).toEqual(values);
    expect(await all(2, 4)).not.toEqual(values);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(mean).toBeCloseTo(0, 1);
    expect(values.reduce((sum, value) => sum + value * value, 0) / values.length).toBeCloseTo(1, 1);
  });

  it('keeps ids inside their table and knows masks, types and positions by name', async () => {
    const model = signature(
      {
        input_ids: ['int64', ['n', 'sequence']],
        attention_mask: ['int64', ['n', 'sequence']],
        token_type_ids: ['int64', ['n', 'sequence']],
        position_ids: ['int64', ['n', 'sequence']],
        flag: ['bool', ['n', 1]],
      },
      {},
      { input_ids: 5 },
    );
    const [batch] = await readBatches(seededInputs(model, 3, 1), 3);
    const ids = numbers(batch?.feeds['input_ids']);
    expect(batch?.feeds['input_ids']?.shape).toEqual([3, 64]);
    expect(new Set(ids)).toEqual(new Set([0, 1, 2, 3, 4]));
    expect(new Set(numbers(batch?.feeds['attention_mask']))).toEqual(new Set([1]));
    expect(new Set(numbers(batch?.feeds['token_type_ids']))).toEqual(new Set([0]));
    expect(numbers(batch?.feeds['position_ids']).slice(0, 4)).toEqual([0, 1, 2, 3]);
    expect(numbers(batch?.feeds['flag'])).toEqual([1, 1, 1]);
  });

  it('gives dimensions without a number a size, sums of names among them', async () => {
    const model = signature({
      past: ['float32', ['n', 2, 'past_length', 4]],
      mask: ['int64', ['n', 'past_length + sequence']],
      x: ['float32', ['n', 3, 'height', 'width']],
    });
    const [batch] = await readBatches(seededInputs(model, 1, 1, { dims: { sequence: 7 } }), 1);
    expect(batch?.feeds['past']?.shape).toEqual([1, 2, 0, 4]);
    expect(batch?.feeds['mask']?.shape).toEqual([1, 7]);
    expect(batch?.feeds['x']?.shape).toEqual([1, 3, 224, 224]);
  });

  it('says for which inputs nothing can be made up', () => {
    expect(() => seededInputs(signature({ words: ['string', ['n', 1]] }), 1, 1)).toThrow(
      expect.objectContaining({ code: 'data-mismatch' }),
    );
    expect(() => seededInputs(signature({ x: ['float32', [100_000, 100_000, 100]] }), 1, 1)).toThrow(
      expect.objectContaining({ code: 'tensor-too-large' }),
    );
    const unknown = {
      inputs: [{ name: 'x', type: { kind: 'tensor', dtype: 'float32', shape: null } as const }],
      outputs: [],
    };
    expect(() => seededInputs(unknown, 1, 1)).toThrow(expect.objectContaining({ code: 'data-mismatch' }));
  });
});

describe('signatureOf', () => {
  it('finds the tables that ids are looked up in, and leaves inputs with a default out', () => {
    const builder = new ModelBuilder();
    const ids = builder.input('ids', ['n', 't'], 'int64');
    const other = builder.input('other', ['n', 't'], 'int64');
    const small = builder.op(
      'Gather',
      [builder.weight('small', [10, 4]), builder.op('Cast', [ids], 'cast', { to: 6 })],
      'a',
    );
    const large = builder.op('Gather', [builder.weight('large', [100, 4]), ids], 'b');
    const shape = builder.op('Gather', [builder.op('Shape', [other], 'shape'), other], 'c');
    builder.outputs(small, large, shape);
    builder.graph.inputs.push(builder.weight('default', [1]));
    const found = signatureOf(new Model(builder.graph, 17, 8));
    expect(found.idLimits).toEqual({ ids: 10 });
    expect(found.inputs.map(({ name }) => name)).toEqual(['ids', 'other']);
  });

  it('takes no model without outputs', () => {
    const builder = new Graph('empty');
    expect(() => signatureOf(new Model(builder, 17, 8))).toThrow(expect.objectContaining({ code: 'graph-invalid' }));
  });
});
