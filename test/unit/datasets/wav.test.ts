import { describe, expect, it } from 'vitest';
import { openDataset } from '../../../native-workers/datasets/open-dataset.ts';
import { parseWave, resample } from '../../../native-workers/datasets/wav.ts';
import { writeFiles } from '../../helpers/sample-pictures.ts';
import { numbers, readBatches, signature } from '../../helpers/signatures.ts';
import { temporaryFolder } from '../../helpers/temp.ts';
import { type Sound, sixteen, wave } from '../../helpers/wave.ts';

describe('parseWave', () => {
  it.each<[string, Sound, number[]]>([
    ['8 bits', { bits: 8, data: Uint8Array.of(128, 255, 0) }, [0, 127 / 128, -1]],
    ['16 bits', { data: sixteen(0, 16384, -32768) }, [0, 0.5, -1]],
    ['24 bits', { bits: 24, data: Uint8Array.of(0, 0, 0x40, 0, 0, 0x80) }, [0.5, -1]],
    ['32 bits', { bits: 32, data: new Uint8Array(Int32Array.of(2 ** 30, -(2 ** 31)).buffer) }, [0.5, -1]],
    ['floats', { code: 3, bits: 32, data: new Uint8Array(Float32Array.of(0.25, -0.75).buffer) }, [0.25, -0.75]],
    ['doubles', { code: 3, bits: 64, data: new Uint8Array(Float64Array.of(0.25, -0.75).buffer) }, [0.25, -0.75]],
    ['two channels, mixed', { channels: 2, data: sixteen(16384, 0, -16384, 16384) }, [0.25, 0]],
  ])('reads %s', (_, sound, expected) => {
    const { sampleRate, samples } = parseWave(wave(sound), 'a.wav');
    expect(sampleRate).toBe(8000);
    expect([...samples]).toEqual(expected);
  });

  it.each<[string, Buffer]>([
    ['empty', Buffer.alloc(0)],
    ['something else', Buffer.from('RIFFxxxxAVI LIST')],
    ['cut short', wave({ data: sixteen(1, 2, 3, 4) }).subarray(0, 60)],
    ['without data', wave({ data: sixteen(1) }).subarray(0, 48)],
    ['in an unknown encoding', wave({ code: 0x55, data: sixteen(1) })],
    ['of no channels', wave({ channels: 0, data: sixteen(1) })],
    ['of 12 bits', wave({ bits: 12, data: sixteen(1) })],
  ])('refuses a file that is %s', (_, content) => {
    expect(() => parseWave(content, 'a.wav')).toThrow(expect.objectContaining({ code: 'data-unreadable' }));
  });
});

describe('resample', () => {
  it('keeps a tone in pitch and height, and removes one that the new rate cannot hold', () => {
    const tone = (hertz: number, rate: number): Float32Array =>
      Float32Array.from({ length: rate }, (_, index) => Math.sin((2 * Math.PI * hertz * index) / rate));
    const kept = resample({ sampleRate: 16_000, samples: tone(440, 16_000) }, 8000);
    const expected = tone(440, 8000);
    expect(kept).toHaveLength(8000);
    for (let index = 100; index < 7900; index++) expect(kept[index]).toBeCloseTo(expected[index] as number, 2);
    const removed = resample({ sampleRate: 16_000, samples: tone(6000, 16_000) }, 8000);
    expect(Math.max(...removed.subarray(100, 7900))).toBeLessThan(0.02);
  });
});

describe('a folder of sounds', () => {
  it('is cut or filled to the length of the model and labelled by its folders', async () => {
    const folder = writeFiles(temporaryFolder(), {
      'no/a.wav': wave({ data: sixteen(16384, 16384, 16384, 16384, 16384) }),
      'yes/b.wav': wave({ data: sixteen(-16384) }),
      'yes/c.wav': 'no sound',
    });
    const model = signature({ audio: ['float32', ['n', 1, 3]] }, { logits: ['float32', ['n', 2]] });
    const data = await openDataset(folder, model);
    expect(data).toMatchObject({ kind: 'wav', samples: 3, classes: ['no', 'yes'] });
    const [batch] = await readBatches(data, 4);
    expect(batch?.feeds['audio']?.shape).toEqual([2, 1, 3]);
    expect(numbers(batch?.feeds['audio'])).toEqual([0.5, 0.5, 0.5, -0.5, 0, 0]);
    expect(batch?.labels).toEqual([0, 1]);
    expect(data.skipped).toMatchObject([{ sample: 'yes/c.wav' }]);
    expect(data.notes.map(({ code }) => code)).toEqual(['sample-rate-unknown']);
  });

  it('is refused for a model that takes features', async () => {
    const folder = writeFiles(temporaryFolder(), { 'a.wav': wave({ data: sixteen(1) }) });
    await expect(openDataset(folder, signature({ mel: ['float32', ['n', 80, 3000]] }))).rejects.toMatchObject({
      code: 'data-mismatch',
    });
  });
});
