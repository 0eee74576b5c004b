/** Damaged Keras files never end the process, never hang, and give only errors about the input. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { readKeras } from '../../native-workers/formats/keras/read.ts';
import { HoneError } from '../../native-workers/protocol/errors.ts';
import { ROOT } from '../helpers/sources.ts';

const FILES = ['basic-2.h5', 'nested-2.h5', 'recurrent-3.h5', 'basic-3.keras', 'nested-3.keras'];

describe('damaged Keras files', () => {
  const folder = mkdtempSync(join(tmpdir(), 'keras-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** The error of opening `bytes`, or null when they open: damage in weights is no damage of the structure. */
  async function opening(bytes: Uint8Array): Promise<HoneError | null> {
    const path = join(folder, 'model');
    writeFileSync(path, bytes);
    try {
      await readKeras(path);
      return null;
    } catch (thrown) {
      if (!(thrown instanceof HoneError)) throw thrown;
      return thrown;
    }
  }

  async function expectSound(bytes: Uint8Array): Promise<void> {
    const error = await opening(bytes);
    if (error !== null) expect(['input', 'unsupported'], error.message).toContain(error.kind);
  }

  it.each(FILES)('%s cut anywhere is refused', async (file) => {
    const bytes = readFileSync(join(ROOT, 'test', 'golden', 'keras', file));
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 3, max: bytes.length - 1 }), async (length) => {
        const error = await opening(bytes.subarray(0, length));
        expect(['input', 'unsupported'], error?.message).toContain(error?.kind);
      }),
      { numRuns: 60 },
    );
  });

  it.each(FILES)('%s with flipped bits gives an error about the input, or opens', async (file) => {
    const bytes = readFileSync(join(ROOT, 'test', 'golden', 'keras', file));
    const place = fc.integer({ min: 3, max: bytes.length - 1 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(place, fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 12 }),
        async (flips) => {
          const damaged = Uint8Array.from(bytes);
          for (const [at, mask] of flips) damaged[at] = (damaged[at] as number) ^ mask;
          await expectSound(damaged);
        },
      ),
      { numRuns: 60 },
    );
  });

  it.each(FILES)('%s with absurd sizes and addresses gives an error about the input, or opens', async (file) => {
    const bytes = readFileSync(join(ROOT, 'test', 'golden', 'keras', file));
    const place = fc.integer({ min: 3, max: bytes.length - 9 });
    const absurd = fc.constantFrom(0n, 1n, 24n, 0xffffn, 0xffff_ffffn, 0x7fff_ffff_ffffn, 0xffff_ffff_ffff_fffen);
    await fc.assert(
      fc.asyncProperty(place, absurd, async (at, value) => {
        const damaged = Uint8Array.from(bytes);
        new DataView(damaged.buffer).setBigUint64(at, value, true);
        await expectSound(damaged);
      }),
      { numRuns: 60 },
    );
  });

  /** Digits of the configuration, which is JSON, become others: sizes that no weight has, layers that refer in a circle. */
  it.each(['nested-2.h5', 'basic-2.h5'])('%s with other numbers in its configuration', async (file) => {
    const bytes = readFileSync(join(ROOT, 'test', 'golden', 'keras', file));
    const start = bytes.indexOf('{"class_name"');
    const end = bytes.indexOf('"training_config"', start);
    const digits: number[] = [];
    for (let at = start; at < (end < 0 ? bytes.length : end); at++) {
      const byte = bytes[at] as number;
      if (byte >= 0x30 && byte <= 0x39) digits.push(at);
    }
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.constantFrom(...digits), fc.integer({ min: 0x30, max: 0x39 })), {
          minLength: 1,
          maxLength: 5,
        }),
        async (changes) => {
          const damaged = Uint8Array.from(bytes);
          for (const [at, digit] of changes) damaged[at] = digit;
          await expectSound(damaged);
        },
      ),
      { numRuns: 60 },
    );
  });
});
