import { closeSync, ftruncateSync, openSync, readdirSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readOnnx } from '../../../../native-workers/formats/onnx/read.ts';
import { onnxBytes, onnxSize, writeOnnx } from '../../../../native-workers/formats/onnx/write.ts';
import { inspectFacts, macsFromRecordedTypes } from '../../../../native-workers/graph/inspect.ts';
import { Tensor } from '../../../../native-workers/graph/tensor.ts';
import { peakMemory } from '../../../../native-workers/lib/peak-memory.ts';
import { ModelBuilder } from '../../../helpers/models.ts';
import { temporaryFolder } from '../../../helpers/temp.ts';
import { varint, wire } from '../../../helpers/wire.ts';
import { FLOAT, relu } from '../../../helpers/wire-onnx.ts';

const ELEMENTS = 1_250_000_000;
const WEIGHT = 4 * ELEMENTS;

/** A model in one file of 5 GB, which takes no room on the disk: the weight is a hole, and the last field of the last message. */
function holeModel(path: string): void {
  const header = wire([
    [1, 8],
    [
      8,
      [
        [1, ''],
        [2, 17],
      ],
    ],
  ]);
  const tensorStart = Buffer.concat([
    wire([
      [1, ELEMENTS],
      [2, FLOAT],
      [8, 'w'],
    ]),
    varint(9 * 8 + 2),
    varint(WEIGHT),
  ]);
  const tensorLength = tensorStart.length + WEIGHT;
  const graphStart = Buffer.concat([wire(relu), varint(5 * 8 + 2), varint(tensorLength), tensorStart]);
  const graphLength = graphStart.length + WEIGHT;
  const start = Buffer.concat([header, varint(7 * 8 + 2), varint(graphLength), graphStart]);
  const file = openSync(path, 'w');
  writeSync(file, start);
  ftruncateSync(file, start.length + WEIGHT);
  closeSync(file);
}

describe('a file of 5 GB', () => {
  // NTFS would set the room aside.
  it.skipIf(process.platform === 'win32')('is opened in the memory of its structure', () => {
    const path = join(temporaryFolder(), 'hole.onnx');
    holeModel(path);
    const before = peakMemory();
    const model = readOnnx(path);
    const [weight] = model.graph.initializers;
    expect(weight?.tensor?.bytes).toBe(WEIGHT);
    for (const piece of weight?.tensor?.data.chunks(1 << 20) ?? []) {
      expect(piece.length).toBe(1 << 20);
      break;
    }
    expect(inspectFacts(model, macsFromRecordedTypes(model)).parameters).toBe(ELEMENTS);
    expect(peakMemory() - before).toBeLessThan(100e6);
  });
});

describe('a model too large for protobuf', () => {
  const build = new ModelBuilder();
  const huge = { byteLength: WEIGHT, read: () => new Uint8Array(0), chunks: () => [] };
  build.graph.addInitializer('w', new Tensor({ dtype: 'float32', shape: [ELEMENTS], data: huge }));
  const model = build.model();

  it('is refused in one file, before anything is written', async () => {
    const folder = temporaryFolder();
    const refusal = expect.objectContaining({ code: 'tensor-too-large' });
    await expect(writeOnnx(model, join(folder, 'model.onnx'), { external: 'never' })).rejects.toEqual(refusal);
    expect(() => onnxBytes(model)).toThrow(refusal);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('has its weights outside without being asked, and nothing stays when those fail', async () => {
    expect(onnxSize(model)).toBeGreaterThan(WEIGHT);
    const folder = temporaryFolder();
    // The weights come as nothing here: it got to writing them, which one file would have refused.
    const failure = { code: 'internal', message: expect.stringContaining(`${WEIGHT} bytes long came as 0`) };
    await expect(writeOnnx(model, join(folder, 'model.onnx'))).rejects.toMatchObject(failure);
    expect(readdirSync(folder)).toEqual([]);
  });
});
