/** Damaged Core ML packages never end the process, never hang, and give only errors about the input. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { raise } from '../../native-workers/formats/coreml/raise.ts';
import { readPackage } from '../../native-workers/formats/coreml/read-package.ts';
import { Model } from '../../native-workers/graph/model.ts';
import { HoneError } from '../../native-workers/protocol/errors.ts';
import { openEngine } from '../../native-workers/runtimes/onnxruntime.ts';
import { writeCoreml } from '../helpers/coreml.ts';
import { ModelBuilder } from '../helpers/models.ts';

const MODEL = 'Data/com.apple.CoreML/model.mlmodel';
const WEIGHTS = 'Data/com.apple.CoreML/weights/weight.bin';

/** Convolution, recurrent layer and attention-like products, with weights in forms of their own. */
function model(): Model {
  const build = new ModelBuilder();
  const x = build.input('x', [1, 3, 16, 16]);
  const conv = build.op('Conv', [x, build.weight('w', [16, 3, 3, 3])], 'conv', { pads: [1, 1, 1, 1] });
  const rows = build.op('Flatten', [build.op('Relu', [conv], 'relu')], 'rows');
  const dense = build.op('Gemm', [rows, build.weight('dense_w', [16, 4096])], 'dense', { transB: 1 });
  build.graph.outputs.push(build.op('Softmax', [dense], 'y', { axis: 1 }));
  return new Model(build.graph, 17, 8);
}

describe('damaged packages', async () => {
  const engine = await openEngine();
  const folder = mkdtempSync(join(tmpdir(), 'coreml-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'model.mlpackage');

  async function fresh(): Promise<void> {
    const made = await writeCoreml(engine, model(), { target: 'iOS18', weights: 'int4' });
    rmSync(path, { recursive: true, force: true });
    cpSync(made.path, path, { recursive: true });
  }

  /** The error of reading the package and of saying it in ONNX, weights included; null when there is none. */
  function opening(): HoneError | null {
    try {
      const { graph } = raise(readPackage(path).main);
      for (const value of graph.initializers) if ((value.tensor?.size ?? 0) < 1e6) value.tensor?.data.read();
      return null;
    } catch (thrown) {
      expect(thrown).toBeInstanceOf(HoneError);
      return thrown as HoneError;
    }
  }

  function expectInput(error: HoneError | null): void {
    if (error !== null) expect(['input', 'unsupported'], `${error.code}: ${error.message}`).toContain(error.kind);
  }

  it.each([MODEL, WEIGHTS, 'Manifest.json'])('%s cut anywhere gives an error about the input', async (file) => {
    await fresh();
    const bytes = readFileSync(join(path, file));
    fc.assert(
      fc.property(fc.integer({ min: 0, max: bytes.length - 1 }), (length) => {
        writeFileSync(join(path, file), bytes.subarray(0, length));
        const error = opening();
        expectInput(error);
        // The manifest ends in a line break, and the weights in bits that nothing reads.
        if (length < bytes.length - 64) expect(error).not.toBeNull();
      }),
      { numRuns: 80 },
    );
  });

  it.each([MODEL, WEIGHTS])('%s with flipped bits gives an error about the input, or opens', async (file) => {
    await fresh();
    const bytes = readFileSync(join(path, file));
    const end = Math.min(bytes.length, 12_000) - 1;
    const flips = fc.array(fc.tuple(fc.integer({ min: 0, max: end }), fc.integer({ min: 1, max: 255 })), {
      minLength: 1,
      maxLength: 6,
    });
    fc.assert(
      fc.property(flips, (places) => {
        const damaged = Uint8Array.from(bytes);
        for (const [at, mask] of places) damaged[at] = (damaged[at] as number) ^ mask;
        writeFileSync(join(path, file), damaged);
        expectInput(opening());
      }),
      { numRuns: 400 },
    );
  });
});
