import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openDataset } from '../../../native-workers/datasets/open-dataset.ts';
import { bytes, floats, longs, npy, type TestArray, texts, writeNpz, writeZip } from '../../helpers/npz.ts';
import { numbers, pictures, readBatches, signature } from '../../helpers/signatures.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

const flat = signature({ x: ['float32', ['n', 2]] }, { y: ['float32', ['n', 3]] });

async function archive(arrays: Readonly<Record<string, TestArray>>): Promise<string> {
  return writeNpz(join(temporaryFolder(), 'data.npz'), arrays);
}

describe('openNpz', () => {
  it('gives the rows of arrays named after the inputs, the last batch smaller', async () => {
    const path = await archive({ x: floats([3, 2], [1, 2, 3, 4, 5, 6]), labels: longs([3], [0, 2, 1]) });
    const data = await openDataset(path, flat);
    expect(data).toMatchObject({ kind: 'npz', samples: 3, labelled: true, grouped: false, notes: [] });
    expect(await data.sha256()).toMatch(/^[0-9a-f]{64}$/);
    const batches = await readBatches(data, 2);
    expect(batches.map(({ feeds }) => feeds['x']?.shape)).toEqual([
      [2, 2],
      [1, 2],
    ]);
    expect(batches.map(({ feeds }) => numbers(feeds['x']))).toEqual([
      [1, 2, 3, 4],
      [5, 6],
    ]);
    expect(batches.flatMap(({ labels }) => labels)).toEqual([0, 2, 1]);
    expect(batches.flatMap(({ samples }) => samples)).toEqual(['0', '1', '2']);
  });

  it('gives one sample at a time where an input is a scalar, the others with a batch of one', async () => {
    const path = await archive({ x: floats([2, 2], [1, 2, 3, 4]), gain: floats([2], [5, 6]) });
    const data = await openDataset(path, signature({ gain: ['float32', []], x: ['float32', ['n', 2]] }));
    const batches = await readBatches(data, 8);
    expect(batches.map(({ feeds }) => [feeds['gain']?.shape, feeds['x']?.shape])).toEqual([
      [[], [1, 2]],
      [[], [1, 2]],
    ]);
    expect(batches.map(({ feeds }) => [...numbers(feeds['gain']), ...numbers(feeds['x'])])).toEqual([
      [5, 1, 2],
      [6, 3, 4],
    ]);
  });

  it('can be walked again, and takes a part in order', async () => {
    const path = await archive({
      x: floats(
        [50, 2],
        Array.from({ length: 100 }, (_, index) => index),
      ),
    });
    const data = await openDataset(path, flat);
    const walk = async (seed: number): Promise<string[]> => {
      const samples: string[] = [];
      for await (const batch of data.batches(4, { limit: 10, seed })) {
        batch.samples.forEach((sample, index) => {
          expect(numbers(batch.feeds['x'])[index * 2]).toBe(Number(sample) * 2);
        });
        samples.push(...batch.samples);
      }
      return samples;
    };
    const first = await walk(1);
    expect(first).toHaveLength(10);
    expect(first.map(Number)).toEqual(first.map(Number).toSorted((a, b) => a - b));
    expect(await walk(1)).toEqual(first);
    expect(await walk(2)).not.toEqual(first);
    await data.close();
  });

  it('reads every plain element type, either byte order, and converts what fits', async () => {
    const cases: [string, Uint8Array, number[]][] = [
      ['<f8', new Uint8Array(Float64Array.of(1.5, -2).buffer), [1.5, -2]],
      ['<f2', new Uint8Array(Uint16Array.of(0x3c00, 0xc000).buffer), [1, -2]],
      ['>f4', Uint8Array.of(0x3f, 0x80, 0, 0, 0xc0, 0, 0, 0), [1, -2]],
      ['<i4', new Uint8Array(Int32Array.of(7, -8).buffer), [7, -8]],
      ['>i2', Uint8Array.of(0, 7, 0xff, 0xf8), [7, -8]],
      ['<u2', new Uint8Array(Uint16Array.of(7, 65535).buffer), [7, 65535]],
      ['|i1', Uint8Array.of(7, 0xf8), [7, -8]],
      ['|u1', Uint8Array.of(7, 248), [7, 248]],
      ['|b1', Uint8Array.of(1, 0), [1, 0]],
      ['<i8', new Uint8Array(BigInt64Array.of(7n, -8n).buffer), [7, -8]],
    ];
    for (const [descr, data, expected] of cases) {
      const [batch] = await readBatches(
        await openDataset(await archive({ x: { descr, shape: [1, 2], bytes: data } }), flat),
        8,
      );
      expect(numbers(batch?.feeds['x']), descr).toEqual(expected);
      expect(batch?.feeds['x']?.data, descr).toBeInstanceOf(Float32Array);
    }
  });

  it('names every input that the archive lacks', async () => {
    const two = signature({
      input_ids: ['int64', ['n', 4]],
      attention_mask: ['int64', ['n', 4]],
      x: ['float32', ['n', 1]],
    });
    const path = await archive({ x: floats([1, 1], [0]) });
    await expect(openDataset(path, two)).rejects.toMatchObject({
      code: 'data-mismatch',
      message: expect.stringContaining("'input_ids', 'attention_mask'"),
    });
  });

  it('refuses shapes, types and counts that do not fit the model', async () => {
    const wrong = [
      { x: floats([2, 3], [1, 2, 3, 4, 5, 6]) },
      { x: texts(['a', 'b']) },
      { x: floats([2, 2], [1, 2, 3, 4]), labels: longs([3], [0, 1, 2]) },
    ];
    for (const arrays of wrong) {
      await expect(openDataset(await archive(arrays), flat)).rejects.toMatchObject({ code: 'data-mismatch' });
    }
    const ids = signature({ ids: ['int32', ['n', 1]] });
    const data = await openDataset(await archive({ ids: floats([1, 1], [1.5]) }), ids);
    await expect(readBatches(data, 1)).rejects.toMatchObject({ code: 'data-mismatch' });
  });

  it('takes the only array by position and says so', async () => {
    const data = await openDataset(await archive({ arr_0: floats([1, 2], [1, 2]) }), flat);
    expect(data.notes.map(({ code }) => code)).toEqual(['arrays-by-position']);
    await data.close();
  });

  it('gives samples of models without a batch axis one by one', async () => {
    const data = await openDataset(
      await archive({ x: floats([2, 1, 2], [1, 2, 3, 4]) }),
      signature({ x: ['float32', [1, 2]] }),
    );
    const batches = await readBatches(data, 8);
    expect(batches.map(({ feeds }) => feeds['x']?.shape)).toEqual([
      [1, 2],
      [1, 2],
    ]);
  });

  it('maps text labels, one-hot labels and groups', async () => {
    const named = await openDataset(
      await archive({
        x: floats([3, 2], [0, 0, 0, 0, 0, 0]),
        labels: texts(['dog', 'cat', 'owl']),
        group: texts(['b', 'a', 'b']),
      }),
      flat,
    );
    expect(named).toMatchObject({ classes: ['cat', 'dog', 'owl'], classesAssumed: true, grouped: true });
    const [batch] = await readBatches(named, 4);
    expect(batch).toMatchObject({ labels: [1, 0, 2], groups: ['b', 'a', 'b'] });
    const oneHot = await openDataset(
      await archive({ x: floats([2, 2], [0, 0, 0, 0]), labels: floats([2, 3], [0, 0, 1, 1, 0, 0]) }),
      flat,
    );
    expect(oneHot.notes.map(({ code }) => code)).toEqual(['labels-one-hot']);
    expect((await readBatches(oneHot, 4))[0]?.labels).toEqual([2, 0]);
  });

  it('preprocesses an array of pictures in any layout', async () => {
    const model = pictures(3, 1, 2);
    const preprocess = { scale: 1, mean: [0], std: [1] };
    // One picture of two pixels: red and blue.
    const interleaved = bytes([1, 1, 2, 3], [255, 0, 0, 0, 0, 255]);
    const planar = bytes([1, 3, 1, 2], [255, 0, 0, 0, 0, 255]);
    for (const images of [interleaved, planar]) {
      const [batch] = await readBatches(await openDataset(await archive({ images }), model, { preprocess }), 4);
      expect(numbers(batch?.feeds['input'])).toEqual([255, 0, 0, 0, 0, 255]);
    }
    const gray = await openDataset(await archive({ images: bytes([1, 1, 2], [10, 20]) }), model, { preprocess });
    expect(numbers((await readBatches(gray, 4))[0]?.feeds['input'])).toEqual([10, 20, 10, 20, 10, 20]);
    await expect(
      openDataset(await archive({ images: bytes([1, 5, 7, 2], new Uint8Array(70)) }), model),
    ).rejects.toMatchObject({
      code: 'data-mismatch',
    });
  });

  it('refuses arrays that are damaged or that only a pickle could hold', async () => {
    const good = npy(floats([1, 2], [1, 2]));
    const cases: [string, Uint8Array][] = [
      ['an object array', npy({ descr: '|O', shape: [1, 2], bytes: new Uint8Array(16) })],
      ['Fortran order', npy({ ...floats([2, 2], [1, 2, 3, 4]), fortran: true })],
      ['cut short', good.subarray(0, good.length - 3)],
      ['too long', Buffer.concat([good, Buffer.alloc(4)])],
      ['no array', Buffer.from('something else entirely')],
      ['a header that overruns', Buffer.concat([good.subarray(0, 8), Buffer.from([0xff, 0xff]), good.subarray(10)])],
      ['only the magic', good.subarray(0, 7)],
      ['elements of no width', npy({ descr: '<U0', shape: [1, 2], bytes: new Uint8Array(0) })],
    ];
    for (const [what, content] of cases) {
      const path = await writeZip(join(temporaryFolder(), 'data.npz'), { 'x.npy': content });
      await expect(openDataset(path, flat), what).rejects.toMatchObject({ code: 'data-unreadable' });
    }
    const huge = await writeZip(join(temporaryFolder(), 'data.npz'), {
      'x.npy': npy({ descr: '<f4', shape: [2 ** 40, 2 ** 40], bytes: new Uint8Array(8) }),
    });
    await expect(openDataset(huge, flat)).rejects.toMatchObject({ code: 'tensor-too-large' });
  });

  it('says that there are no samples', async () => {
    await expect(openDataset(await archive({ x: floats([0, 2], []) }), flat)).rejects.toMatchObject({
      code: 'data-empty',
    });
    const none = await writeZip(join(temporaryFolder(), 'data.npz'), { 'readme.txt': Buffer.from('none') });
    await expect(openDataset(none, flat)).rejects.toMatchObject({ code: 'data-empty' });
  });
});
