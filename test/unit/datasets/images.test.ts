import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { openDataset } from '../../../native-workers/datasets/open-dataset.ts';
import { writeZip } from '../../helpers/npz.ts';
import { BLUE, picture, RED, solid, writeFiles } from '../../helpers/sample-pictures.ts';
import { numbers, pictures, readBatches, signature } from '../../helpers/signatures.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

/** Pixels as they are, for exact values. */
const raw = { scale: 1, mean: [0], std: [1] };

describe('openImages', () => {
  it('labels pictures by their folders, sorted, in folder and zip alike', async () => {
    const files = {
      'dog/b.png': await solid(RED),
      'cat/a.png': await solid(BLUE),
      'dog/a.png': await solid(RED),
      'cat/.hidden.png': 'x',
    };
    const folder = writeFiles(temporaryFolder(), files);
    const zip = await writeZip(join(temporaryFolder(), 'data.zip'), {
      'wrapper/dog/b.png': files['dog/b.png'],
      'wrapper/dog/a.png': files['dog/a.png'],
      'wrapper/cat/a.png': files['cat/a.png'],
      '__MACOSX/wrapper/cat/._a.png': Buffer.from('x'),
    });
    for (const [path, prefix] of [
      [folder, ''],
      [zip, 'wrapper/'],
    ] as const) {
      const data = await openDataset(path, pictures(3, 4, 4), { preprocess: raw });
      expect(data).toMatchObject({
        kind: 'images',
        samples: 3,
        classes: ['cat', 'dog'],
        classesAssumed: true,
        labelled: true,
      });
      const [batch] = await readBatches(data, 8);
      expect(batch?.samples).toEqual([`${prefix}cat/a.png`, `${prefix}dog/a.png`, `${prefix}dog/b.png`]);
      expect(batch?.labels).toEqual([0, 1, 1]);
      expect(batch?.feeds['input']?.shape).toEqual([3, 3, 4, 4]);
      // A batch of three: blue, red, red; planes of 16 pixels.
      const values = numbers(batch?.feeds['input']);
      expect([values[0], values[16], values[32], values[48], values[64], values[80]]).toEqual([0, 0, 255, 255, 0, 0]);
    }
  });

  it('takes pictures in one folder as unlabelled', async () => {
    const folder = writeFiles(temporaryFolder(), { 'all/a.png': await solid(RED), 'all/b.png': await solid(BLUE) });
    const data = await openDataset(folder, pictures(3, 4, 4));
    expect(data).toMatchObject({ labelled: false, classes: null, samples: 2 });
    expect((await readBatches(data, 8))[0]?.labels).toEqual([null, null]);
  });

  it('follows the class list beside the data, and refuses a folder that it does not name', async () => {
    const files = { 'dog/a.png': await solid(RED), 'cat/a.png': await solid(BLUE), 'labels.txt': 'owl\ndog\ncat\n' };
    const data = await openDataset(writeFiles(temporaryFolder(), files), pictures(3, 4, 4, 3));
    expect(data).toMatchObject({ classes: ['owl', 'dog', 'cat'], classesAssumed: false });
    expect((await readBatches(data, 8))[0]?.labels).toEqual([2, 1]);
    const other = writeFiles(temporaryFolder(), { ...files, 'labels.txt': 'owl\ndog\n' });
    await expect(openDataset(other, pictures(3, 4, 4))).rejects.toMatchObject({
      code: 'labels-invalid',
      message: expect.stringContaining("'cat'"),
    });
  });

  it('skips, counts and lists what cannot be decoded', async () => {
    const good = await solid(RED);
    const files = {
      'a/1.png': good,
      'a/2.png': good.subarray(0, good.length - 30),
      'b/3.png': good,
      'b/4.jpg': 'no picture',
      'b/5.png': '',
    };
    const data = await openDataset(writeFiles(temporaryFolder(), files), pictures(3, 4, 4));
    const batches = await readBatches(data, 8);
    expect(data.samples).toBe(5);
    expect(batches.flatMap(({ samples }) => samples)).toEqual(['a/1.png', 'b/3.png']);
    expect(data.skipped.map(({ sample }) => sample).toSorted()).toEqual(['a/2.png', 'b/4.jpg', 'b/5.png']);
    expect(data.skipped.every(({ reason }) => reason.length > 5)).toBe(true);
  });

  it('says so when nothing can be read', async () => {
    const folder = writeFiles(temporaryFolder(), { 'a/1.png': 'no', 'b/2.png': 'no' });
    const data = await openDataset(folder, pictures(3, 4, 4));
    await expect(readBatches(data, 8)).rejects.toMatchObject({
      code: 'data-empty',
      message: expect.stringContaining('2 were skipped'),
    });
    await expect(
      openDataset(writeFiles(temporaryFolder(), { 'a.txt': 'no' }), pictures(3, 4, 4)),
    ).rejects.toMatchObject({ code: 'data-empty' });
  });

  it('skips a picture with too many pixels', async () => {
    // A PNG header that promises 20,000 x 20,000 pixels: 1.2 GB, if anything were to decode it.
    const bomb = await solid(RED);
    bomb.writeUInt32BE(20_000, 16);
    bomb.writeUInt32BE(20_000, 20);
    bomb.writeUInt32BE(crc32(bomb.subarray(12, 29)), 29);
    const data = await openDataset(
      writeFiles(temporaryFolder(), { 'a.png': await solid(RED), 'b.png': bomb }),
      pictures(3, 4, 4),
    );
    expect((await readBatches(data, 8)).flatMap(({ samples }) => samples)).toEqual(['a.png']);
    expect(data.skipped).toMatchObject([{ sample: 'b.png', reason: expect.stringMatching(/pixel/) }]);
  });

  it.each([
    ['gray', () => picture([7, 7, 7, 7], 2, 2, 1), [7, 7, 7]],
    [
      'RGBA, whose alpha is dropped and not blended',
      () => picture([9, 8, 7, 0, 9, 8, 7, 0, 9, 8, 7, 255, 9, 8, 7, 0], 2, 2, 4),
      [9, 8, 7],
    ],
    [
      'palette',
      () =>
        sharp({ create: { width: 2, height: 2, channels: 3, background: { r: 9, g: 8, b: 7 } } })
          .png({ palette: true })
          .toBuffer(),
      [9, 8, 7],
    ],
    [
      '16 bits',
      () =>
        sharp(
          Uint16Array.from([
            0x0900, 0x0800, 0x0700, 0x0900, 0x0800, 0x0700, 0x0900, 0x0800, 0x0700, 0x0900, 0x0800, 0x0700,
          ]),
          { raw: { width: 2, height: 2, channels: 3 } },
        )
          .toColourspace('rgb16')
          .png()
          .toBuffer(),
      [9, 8, 7],
    ],
    [
      '16 bits gray',
      () =>
        sharp(Uint16Array.from([0x0900, 0x0900, 0x0900, 0x0900]), { raw: { width: 2, height: 2, channels: 1 } })
          .toColourspace('grey16')
          .png()
          .toBuffer(),
      [9, 9, 9],
    ],
    [
      'WebP',
      () =>
        sharp({ create: { width: 2, height: 2, channels: 3, background: { r: 9, g: 8, b: 7 } } })
          .webp({ lossless: true })
          .toBuffer(),
      [9, 8, 7],
    ],
    [
      'TIFF',
      () =>
        sharp({ create: { width: 2, height: 2, channels: 3, background: { r: 9, g: 8, b: 7 } } })
          .tiff({ compression: 'lzw' })
          .toBuffer(),
      [9, 8, 7],
    ],
  ] as const)('reads %s', async (_, make, expected) => {
    const data = await openDataset(writeFiles(temporaryFolder(), { 'a.png': await make() }), pictures(3, 2, 2), {
      preprocess: raw,
    });
    const values = numbers((await readBatches(data, 1))[0]?.feeds['input']);
    expect([values[0], values[4], values[8]]).toEqual(expected);
    expect([values[3], values[7], values[11]]).toEqual(expected);
  });

  it('turns pictures as their EXIF orientation says', async () => {
    // Stored lying: red left, blue right. Orientation 6 turns it clockwise, so red comes to the top.
    const stored = sharp(Uint8Array.from([255, 0, 0, 0, 0, 255]), { raw: { width: 2, height: 1, channels: 3 } });
    const turned = await stored.withMetadata({ orientation: 6 }).png().toBuffer();
    const data = await openDataset(writeFiles(temporaryFolder(), { 'a.png': turned }), pictures(3, 2, 1), {
      preprocess: raw,
    });
    expect(numbers((await readBatches(data, 1))[0]?.feeds['input'])).toEqual([255, 0, 0, 0, 0, 255]);
  });

  it('resizes by the shorter side, stretched, or with bars', async () => {
    // 8 x 4: left half red, right half blue.
    const row = [
      ...Array.from({ length: 4 }, () => [255, 0, 0]),
      ...Array.from({ length: 4 }, () => [0, 0, 255]),
    ].flat();
    const wide = await picture([...row, ...row, ...row, ...row], 8, 4, 3);
    const folder = writeFiles(temporaryFolder(), { 'a.png': wide });
    const redPlane = async (preprocess: object): Promise<number[]> => {
      const data = await openDataset(folder, pictures(3, 4, 4), { preprocess: { ...raw, ...preprocess } });
      return numbers((await readBatches(data, 1))[0]?.feeds['input']).slice(0, 16);
    };
    // The middle four columns of eight: two red, two blue.
    expect(await redPlane({ resize: 'shorter' })).toEqual([
      255, 255, 0, 0, 255, 255, 0, 0, 255, 255, 0, 0, 255, 255, 0, 0,
    ]);
    const stretched = await redPlane({ resize: 'stretch' });
    expect(stretched[0]).toBe(255);
    expect(stretched[3]).toBe(0);
    // Two rows of bars, then the whole picture at half size.
    const fitted = await redPlane({ resize: 'fit' });
    expect(fitted.slice(0, 4)).toEqual([0, 0, 0, 0]);
    expect(fitted[4]).toBe(255);
    expect(fitted.slice(12)).toEqual([0, 0, 0, 0]);
  });

  it('orders, scales and normalises channels', async () => {
    const folder = writeFiles(temporaryFolder(), { 'a.png': await solid({ r: 255, g: 51, b: 0 }, 1, 1) });
    const values = async (preprocess: object, model = pictures(3, 1, 1)): Promise<number[]> =>
      numbers((await readBatches(await openDataset(folder, model, { preprocess }), 1))[0]?.feeds['input']);
    expect(await values({})).toEqual([1, Math.fround(0.2), 0]);
    expect(await values({ color: 'bgr', scale: 1 })).toEqual([0, 51, 255]);
    expect(await values({ mean: [0.5, 0, 0], std: [0.5, 0.1, 1] })).toEqual([1, 2, 0]);
    // ITU-R 601: 0.299 * 255 + 0.587 * 51 = 106.2
    expect(await values({ scale: 1 }, pictures(1, 1, 1))).toEqual([106]);
    expect(await values({ layout: 'nhwc', scale: 1 }, signature({ input: ['float32', [1, 1, 1, 3]] }))).toEqual([
      255, 51, 0,
    ]);
    expect(await values({}, signature({ input: ['uint8', [1, 1, 1, 3]] }))).toEqual([255, 51, 0]);
    expect(await values({}, signature({ input: ['int8', [1, 1, 1, 3]] }))).toEqual([127, -77, -128]);
    expect(await values({}, signature({ input: ['float16', [1, 3, 1, 1]] }))).toEqual([0x3c00, 0x3266, 0]);
  });

  it('notes what it had to assume', async () => {
    const folder = writeFiles(temporaryFolder(), { 'a.png': await solid(RED) });
    const codes = async (preprocess?: object): Promise<string[]> => {
      const data = await openDataset(folder, pictures(3, 4, 4), preprocess === undefined ? {} : { preprocess });
      await data.close();
      return data.notes.map(({ code }) => code);
    };
    expect(await codes()).toEqual(['normalisation-unknown']);
    expect(await codes({ mean: [0.5], std: [0.5] })).toEqual([]);
    writeFiles(folder, { 'preprocess.json': JSON.stringify({ mean: [0.5], std: [0.5] }) });
    expect(await codes()).toEqual(['preprocess-from-file']);
    writeFiles(folder, { 'preprocess.json': '{"size": "large"}' });
    await expect(codes()).rejects.toMatchObject({ code: 'preprocess-invalid' });
  });

  it('refuses models and descriptions that pictures do not fit', async () => {
    const folder = writeFiles(temporaryFolder(), { 'a.png': await solid(RED) });
    const open = (model: Parameters<typeof openDataset>[1], preprocess: object = {}): Promise<unknown> =>
      openDataset(folder, model, { preprocess });
    await expect(open(pictures(12, 40, 40))).rejects.toMatchObject({
      code: 'data-mismatch',
      message: expect.stringContaining('12 channels'),
    });
    await expect(open(signature({ ids: ['int64', [1, 8]] }))).rejects.toMatchObject({ code: 'data-mismatch' });
    await expect(open(signature({ input: ['float32', [1, 3, 4, 4]], sizes: ['int64', [1, 2]] }))).rejects.toMatchObject(
      {
        code: 'data-mismatch',
        message: expect.stringContaining("'sizes'"),
      },
    );
    await expect(open(pictures(3, 4, 4), { size: [8, 8] })).rejects.toMatchObject({ code: 'preprocess-invalid' });
    await expect(open(pictures(3, 4, 4), { mean: [0, 0] })).rejects.toMatchObject({ code: 'preprocess-invalid' });
    await expect(open(pictures(3, 4, 4), { std: [0] })).rejects.toMatchObject({ code: 'preprocess-invalid' });
    await expect(open(pictures(1, 4, 4), { color: 'rgb' })).rejects.toMatchObject({ code: 'preprocess-invalid' });
    await expect(open(pictures(3, 4, 4), { resize: 'shorter', crop: false })).rejects.toMatchObject({
      code: 'preprocess-invalid',
    });
  });

  it('takes the size from the pictures where the model takes any, and asks where they differ', async () => {
    const anySize = signature({ input: ['float32', ['n', 3, 'h', 'w']] });
    const folder = writeFiles(temporaryFolder(), { 'a.png': await solid(RED, 5, 3), 'b.png': await solid(RED, 5, 3) });
    const data = await openDataset(folder, anySize);
    expect(data.notes.map(({ code }) => code)).toContain('size-from-data');
    expect((await readBatches(data, 4))[0]?.feeds['input']?.shape).toEqual([2, 3, 3, 5]);
    writeFiles(folder, { 'c.png': await solid(RED, 9, 9) });
    await expect(openDataset(folder, anySize)).rejects.toMatchObject({
      code: 'preprocess-invalid',
      message: expect.stringContaining('size'),
    });
    const given = await openDataset(folder, anySize, { preprocess: { size: [2, 2] } });
    expect((await readBatches(given, 4))[0]?.feeds['input']?.shape).toEqual([3, 3, 2, 2]);
  });

  it('hashes a folder by its paths and contents', async () => {
    const hashOf = async (files: Readonly<Record<string, string | Uint8Array>>): Promise<string> => {
      const data = await openDataset(writeFiles(temporaryFolder(), files), pictures(3, 4, 4));
      await data.close();
      return data.sha256();
    };
    const [red, blue] = [await solid(RED), await solid(BLUE)];
    const first = await hashOf({ 'a/1.png': red, 'b/2.png': blue });
    expect(await hashOf({ 'b/2.png': blue, 'a/1.png': red })).toBe(first);
    expect(await hashOf({ 'a/1.png': blue, 'b/2.png': red })).not.toBe(first);
    expect(await hashOf({ 'a/1.png': red, 'b/3.png': blue })).not.toBe(first);
  });
});
