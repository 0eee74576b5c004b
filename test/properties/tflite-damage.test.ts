/** Damaged TFLite files never end the process, never hang, and give only errors about the input. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { readTflite } from '../../native-workers/formats/tflite/read.ts';
import { HoneError } from '../../native-workers/protocol/errors.ts';
import { hasShared, SHARED } from '../helpers/shared.ts';

const FILES = ['pretrainedResnet_quant.tflite', 'vww_96_float.tflite'];

describe.skipIf(!hasShared)('damaged TFLite files', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tflite-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** The error of opening `bytes`, or null when they open: damage in weights is no damage of the structure. */
  function opening(bytes: Uint8Array): HoneError | null {
    const path = join(folder, 'model.tflite');
    writeFileSync(path, bytes);
    try {
      readTflite(path);
      return null;
    } catch (thrown) {
      expect(thrown).toBeInstanceOf(HoneError);
      return thrown as HoneError;
    }
  }

  it.each(FILES)('%s cut anywhere is refused', (file) => {
    const bytes = readFileSync(join(SHARED, 'real', file));
    fc.assert(
      fc.property(fc.integer({ min: 0, max: bytes.length - 1 }), (length) => {
        const error = opening(bytes.subarray(0, length));
        if (error !== null) expect(['input', 'unsupported']).toContain(error.kind);
      }),
      { numRuns: 60 },
    );
    expect(opening(bytes.subarray(0, 7))?.code).toBe('file-truncated');
  });

  it.each(FILES)('%s with flipped bits gives an error about the input, or opens', (file) => {
    const bytes = readFileSync(join(SHARED, 'real', file));
    // The structure is dense at the end of the file and at its beginning.
    const place = fc.oneof(
      fc.integer({ min: 0, max: 64 }),
      fc.integer({ min: bytes.length - 12_000, max: bytes.length - 1 }),
    );
    fc.assert(
      fc.property(
        fc.array(fc.tuple(place, fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 6 }),
        (flips) => {
          const damaged = Uint8Array.from(bytes);
          for (const [at, mask] of flips) damaged[at] = (damaged[at] as number) ^ mask;
          const error = opening(damaged);
          if (error !== null) expect(['input', 'unsupported']).toContain(error.kind);
        },
      ),
      { numRuns: 300 },
    );
  });
});
