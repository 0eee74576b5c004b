/** Damaged files are normal input: each reads as some model, or is refused with an error about the file. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readOnnx, readOnnxBytes } from '../../native-workers/formats/onnx/read.ts';
import { onnxBytes } from '../../native-workers/formats/onnx/write.ts';
import { inspectFacts, macsFromRecordedTypes } from '../../native-workers/graph/inspect.ts';
import { HoneError } from '../../native-workers/protocol/errors.ts';
import { inspectFactsSchema } from '../../native-workers/protocol/facts.ts';
import { tinyClassifier } from '../helpers/models.ts';
import { hasShared, SHARED } from '../helpers/shared.ts';
import { temporaryFolder } from '../helpers/temp.ts';

/** Reads a model as a job would, all of its weights too; returns the code of the error, if any. Throws what is no such error. */
function outcome(open: () => ReturnType<typeof readOnnx>): string {
  try {
    const model = open();
    inspectFactsSchema.parse(inspectFacts(model, macsFromRecordedTypes(model)));
    onnxBytes(model);
    return 'read';
  } catch (thrown) {
    if (thrown instanceof HoneError && (thrown.kind === 'input' || thrown.kind === 'unsupported')) return thrown.code;
    throw thrown;
  }
}

function damages(bytes: Uint8Array, runs: number): void {
  const codes = new Set<string>();
  const change = fc.tuple(fc.nat(bytes.length - 1), fc.nat(255));
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) => {
      const damaged = new Uint8Array(bytes);
      for (const [at, flip] of changes) damaged[at] = (damaged[at] ?? 0) ^ flip;
      codes.add(outcome(() => readOnnxBytes(damaged)));
    }),
    { numRuns: runs },
  );
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), (length) => {
      const code = outcome(() => readOnnxBytes(bytes.subarray(0, length)));
      codes.add(code);
      // Only a cut between two fields of the model leaves something that reads.
      expect(['read', 'file-truncated', 'file-corrupt']).toContain(code);
    }),
    { numRuns: runs },
  );
  expect(codes).toContain('file-truncated');
  expect(codes).toContain('file-corrupt');
}

describe('damage', () => {
  it('to a tiny model is told as such, wherever it is', () => {
    damages(onnxBytes(tinyClassifier()), 3000);
  });

  it('to every single byte of a tiny model is survived', () => {
    const bytes = onnxBytes(tinyClassifier());
    for (let at = 0; at < bytes.length; at++) {
      for (const value of [0x00, 0x7f, 0x80, 0xff]) {
        const damaged = new Uint8Array(bytes);
        damaged[at] = value;
        outcome(() => readOnnxBytes(damaged));
      }
    }
  });

  it('to a file, where weights are ranges, is survived too', () => {
    const bytes = onnxBytes(tinyClassifier());
    const path = join(temporaryFolder(), 'damaged.onnx');
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const damaged = new Uint8Array(bytes);
        damaged[at] = (damaged[at] ?? 0) ^ flip;
        writeFileSync(path, damaged);
        outcome(() => readOnnx(path));
      }),
      { numRuns: 300 },
    );
  });

  it('by random bytes is told as such', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), (bytes) => {
        outcome(() => readOnnxBytes(bytes));
      }),
      { numRuns: 3000 },
    );
  });

  it
    .skipIf(!hasShared)
    .each(['real/mnist.onnx', 'models/tiny-llama/model.onnx', 'real/Ultraface_version-RFB-320.onnx'])(
    'to %s is survived',
    (name) => {
      // Weights are most of a file and any bytes are good weights: the structure is what is worth damaging.
      const bytes = readFileSync(join(SHARED, name));
      damages(bytes.subarray(0, Math.min(bytes.length, 120_000)), 60);
    },
  );
});
