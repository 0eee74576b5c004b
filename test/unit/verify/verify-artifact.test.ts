import { writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { onnxBytes } from '../../../native-workers/formats/onnx/write.ts';
import type { Feeds } from '../../../native-workers/lib/engine.ts';
import { HoneError } from '../../../native-workers/protocol/errors.ts';
import type { LiveCheck } from '../../../native-workers/protocol/live.ts';
import { openEngine } from '../../../native-workers/runtimes/onnxruntime.ts';
import { type VerifyRequest, verifyArtifact } from '../../../native-workers/verify/verify-artifact.ts';
import { tinyClassifier } from '../../helpers/models.ts';
import { ROOT } from '../../helpers/sources.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

const engine = await openEngine();
const image = {
  dtype: 'float32',
  shape: [1, 3, 8, 8],
  data: Float32Array.from({ length: 192 }, (_, index) => Math.sin(index)),
} as const;
const ONNX = 'runtimes/ort-artifact.ts';
const WEB = { title: 'Web', module: 'runtimes/onnxruntime-web-artifact.ts' };

/** The classifier as the artifact, its last bias shifted by `shift`, checked against itself. */
async function verify(
  shift: number,
  more: Partial<VerifyRequest['target']> = {},
  bytes?: Uint8Array,
  inputs: readonly Feeds[] = [{ image }, { image: { ...image, data: image.data.map((value) => value * 2) } }],
) {
  const path = join(temporaryFolder(), 'artifact.onnx');
  const model = tinyClassifier();
  if (shift !== 0) {
    const offset = [...model.graph.initializers].find(({ name }) => name === 'kernel');
    const data = offset?.tensor?.data.read();
    if (data !== undefined) new Float32Array(data.buffer, data.byteOffset, 4)[0] = shift;
  }
  writeFileSync(path, bytes ?? onnxBytes(model));
  const reference = await engine.open(onnxBytes(tinyClassifier()));
  const seen: LiveCheck[][] = [];
  const found = await verifyArtifact({
    target: { title: 'Tiny', runtimeModule: ONNX, tolerance: { float: 1e-4, steps: 3 }, ...more },
    path,
    signature: { inputs: [], outputs: [] },
    reference,
    inputs,
    watch: async (checks) => void seen.push([...checks]),
  });
  await reference.release();
  return { found, seen };
}

/** A runtime in a module of its own, found by its path from `native-workers/`. */
function runtimeModule(body: string): string {
  const path = join(temporaryFolder(), 'runtime.mjs');
  writeFileSync(
    path,
    `export async function openRuntime() { return { name: 'Made up', async open(path, signature, log) { ${body} } } }`,
  );
  return relative(join(ROOT, 'native-workers'), path);
}

describe('verifyArtifact', () => {
  it('passes an artifact that computes the same, on both runtimes, and tells each sample and each end', async () => {
    const { found, seen } = await verify(0, { otherRuntimes: [WEB] });
    expect(found).toMatchObject({ status: 'passed', samples: 2, top1Agreement: 1, steps: null, errors: [] });
    expect(found.runtime).toMatch(/^ONNX Runtime \d/);
    expect(found.maxAbs).toBeLessThan(1e-5);
    expect(found.others).toMatchObject([{ status: 'passed', samples: 2 }]);
    expect(found.others?.[0]?.runtime).toMatch(/wasm/);
    // Start, two samples and end, on each of both.
    expect(seen.map((checks) => checks.map(({ status, samples }) => `${status} ${samples}`).join())).toEqual([
      'running 0,waiting 0',
      'running 1,waiting 0',
      'running 2,waiting 0',
      'passed 2,waiting 0',
      'passed 2,running 0',
      'passed 2,running 1',
      'passed 2,running 2',
      'passed 2,passed 2',
    ]);
    expect(seen[0]?.map(({ runtime }) => runtime)).toEqual(['Tiny', 'Web']);
    expect(seen[1]?.[0]).toMatchObject({ runtime: found.runtime, of: 2, top1Agreement: 1 });
    expect(seen[1]?.[0]?.cosine).toBeGreaterThan(0.999);
  });

  it('fails one whose weights differ, and says by how much', async () => {
    const { found } = await verify(3);
    expect(found.status).toBe('failed');
    expect(found.maxAbs).toBeGreaterThan(0.001);
    expect(found.reason).toMatch(/^the largest difference is .* is allowed$/);
  });

  it('does not call passed what it had no inputs for', async () => {
    const { found } = await verify(0, {}, undefined, []);
    expect(found).toMatchObject({ status: 'not-run', samples: 0, maxAbs: null });
    expect(found.reason).toMatch(/give data/);
  });

  it('says that a runtime refuses a file that is no model', async () => {
    const { found } = await verify(0, {}, Uint8Array.of(1, 2, 3));
    expect(found).toMatchObject({ status: 'refused', samples: 0, maxAbs: null, cosine: null });
    expect(found.reason).not.toBe('');
  });

  it('says that a runtime refuses when it ends its process', async () => {
    const module = runtimeModule(`process.stderr.write('Aborted(bad memory)\\n'); process.abort();`);
    const { found } = await verify(0, { runtimeModule: module });
    expect(found.status).toBe('refused');
    expect(found.reason).toMatch(/The runtime of the artifact ended/);
  });

  it('fails an artifact for a line of the log that says ERROR, whatever the numbers', async () => {
    const module = runtimeModule(`
      log('ERROR: Encountered unresolved custom op: Magic');
      return { run: async (feeds) => feeds, release: async () => undefined };`);
    const { found } = await verify(0, { runtimeModule: module });
    expect(found.status).toBe('failed');
    expect(found.errors).toEqual(['ERROR: Encountered unresolved custom op: Magic']);
    expect(found.reason).toMatch(/^the runtime logged an error: ERROR: Encountered/);
  });

  it('names outputs that the artifact does not give', async () => {
    const module = runtimeModule('return { run: async () => ({}), release: async () => undefined };');
    const { found } = await verify(0, { runtimeModule: module });
    expect(found).toMatchObject({ status: 'failed', reason: 'outputs missing or of another size: scores' });
  });

  it('fails the whole check when a further runtime does not run it', async () => {
    const module = runtimeModule(`throw new Error('no such operator');`);
    const { found } = await verify(0, { otherRuntimes: [{ title: 'Other', module }] });
    expect(found.status).toBe('refused');
    expect(found.reason).toMatch(/no such operator/);
    expect(found.maxAbs).toBeLessThan(1e-5);
  });

  it('says that a further runtime is not on this machine, which is no failure', async () => {
    const { found } = await verify(0, {
      otherRuntimes: [{ title: 'Core ML', module: 'runtimes/coreml-system-artifact.ts' }],
    });
    // On a Mac the file, which is no package of Core ML, is refused.
    if (process.platform === 'darwin') expect(found.status).toBe('refused');
    else {
      expect(found.status).toBe('passed');
      expect(found.others).toMatchObject([
        { runtime: 'Core ML', status: 'not-run', reason: expect.stringMatching(/needs a Mac/) },
      ]);
    }
  });

  it('says that an artifact was not run when its runtime has no room for it', async () => {
    const errors = pathToFileURL(join(ROOT, 'native-workers/protocol/errors.ts')).href;
    const module = runtimeModule(`
      const { HoneError } = await import(${JSON.stringify(errors)});
      throw new HoneError('worker-out-of-memory', 'There is no room for a file of 3 GB.');`);
    const { found } = await verify(0, { runtimeModule: module });
    expect(found).toMatchObject({ status: 'not-run', samples: 0, reason: 'There is no room for a file of 3 GB.' });
  });

  it('lets a cancel through', async () => {
    const reference = await engine.open(onnxBytes(tinyClassifier()));
    const path = join(temporaryFolder(), 'artifact.onnx');
    writeFileSync(path, onnxBytes(tinyClassifier()));
    await expect(
      verifyArtifact({
        target: { title: 'Tiny', runtimeModule: ONNX, tolerance: { float: 1e-4, steps: 3 } },
        path,
        signature: { inputs: [], outputs: [] },
        reference,
        inputs: [{ image }],
        watch: async () => {
          throw new HoneError('cancelled', 'stop');
        },
      }),
    ).rejects.toMatchObject({ code: 'cancelled' });
    await reference.release();
  });
});
