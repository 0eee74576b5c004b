import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { looksLikeOnnx } from '../../../native-workers/formats/onnx/detect.ts';
import { onnxBytes } from '../../../native-workers/formats/onnx/write.ts';
import { detectFormat, FORMATS } from '../../../native-workers/formats/registry.ts';
import { tinyClassifier } from '../../helpers/models.ts';
import { hasShared, SHARED } from '../../helpers/shared.ts';
import { temporaryFolder } from '../../helpers/temp.ts';
import { wire } from '../../helpers/wire.ts';

describe('the registry', () => {
  it('has each format once, and advice for those it cannot open', () => {
    const ids = FORMATS.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { read, advice } of FORMATS) expect(read !== undefined || advice !== undefined).toBe(true);
  });

  it('tells ONNX by its content, whatever the name', () => {
    const path = join(temporaryFolder(), 'weights.bin');
    writeFileSync(path, onnxBytes(tinyClassifier()));
    expect(detectFormat(path).id).toBe('onnx');
  });

  it('believes the name of a file whose first bytes are damaged', () => {
    const path = join(temporaryFolder(), 'damaged.onnx');
    writeFileSync(path, Uint8Array.of(0xff, 0xff, 0xff, 0xff, 1, 2, 3));
    expect(detectFormat(path).id).toBe('onnx');
  });

  it('knows a picture that is called .onnx', () => {
    const path = join(temporaryFolder(), 'photo.onnx');
    writeFileSync(path, Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0, 16, 74, 70));
    expect(() => detectFormat(path)).toThrow('The file is a picture.');
  });

  it.skipIf(!hasShared).each([
    ['real/mnist.onnx', 'onnx'],
    ['real/vww_96_int8.tflite', 'tflite'],
    ['real/vww_96.h5', 'keras'],
    ['models/tiny-llama/model.safetensors', 'safetensors'],
    ['models/data/glyphs/test.zip', 'zip'],
  ])('knows %s', (name, id) => {
    expect(detectFormat(join(SHARED, name)).id).toBe(id);
  });
});

describe('the look of ONNX', () => {
  const bytes = onnxBytes(tinyClassifier());

  it('is seen in a part of a file', () => {
    for (const length of [4, 20, bytes.length - 1]) expect(looksLikeOnnx(bytes.subarray(0, length))).toBe(true);
  });

  it('is not seen in other messages', () => {
    expect(
      looksLikeOnnx(
        wire([
          [1, 3],
          [2, 1],
          [9, new Uint8Array(12)],
        ]),
      ),
    ).toBe(false);
    expect(
      looksLikeOnnx(
        wire([
          [1, 8],
          [500, 'layer'],
        ]),
      ),
    ).toBe(false);
    expect(
      looksLikeOnnx(
        wire([
          [1, 2 ** 40],
          [7, 'graph'],
        ]),
      ),
    ).toBe(false);
    expect(looksLikeOnnx(new Uint8Array(0))).toBe(false);
  });
});
