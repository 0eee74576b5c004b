import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { VariantClient } from '../../../native-workers/bench/variant-client.ts';
import { matrixChain } from '../../helpers/bench-models.ts';
import { tinyOnnx } from '../../helpers/tiny-onnx.ts';

const folder = mkdtempSync(join(tmpdir(), 'hone-variant-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function start(bytes: Uint8Array) {
  const model = join(folder, 'model.onnx');
  writeFileSync(model, bytes);
  return VariantClient.start({
    model,
    provider: 'cpu',
    threads: 2,
    batch: 2,
    seed: 1,
    feeds: null,
    warmup: 3,
    profilePrefix: null,
  });
}

const gather = (shape: (number | string)[]): Uint8Array =>
  tinyOnnx({
    nodes: [{ type: 'Gather', inputs: ['w', 'ids'], outputs: ['y'], name: 'lookup' }],
    weights: [{ name: 'w', shape: [1, 2], data: Float32Array.of(1, 2) }],
    inputs: [{ name: 'ids', code: 7, shape }],
    outputs: [{ name: 'y', shape: [...shape, 2] }],
  });

describe('VariantClient', () => {
  it('opens a model, warms up as often as told and times blocks', async () => {
    const { client, opened } = await start(matrixChain(2, 16));
    expect(opened).toMatchObject({ warmup: 3, batch: 2, inputs: [{ name: 'x', dtype: 'float32', shape: [2, 16] }] });
    const { times, peakRss } = await client.block(5, 2);
    expect(times).toHaveLength(5);
    expect(peakRss).toBeGreaterThanOrEqual(opened.peakRss);
    expect(client.warnings).toEqual([]);
    await client.end();
    // A process that is gone answers no more; SIGKILL is what the system's memory killer sends.
    await expect(client.block(1, 0)).rejects.toMatchObject({ code: 'worker-out-of-memory' });
  });

  it('passes on why a model does not run', async () => {
    await expect(start(gather(['n', 8]))).rejects.toMatchObject({ code: 'runtime-failed', where: { node: 'lookup' } });
    await expect(start(gather([3, 8]))).rejects.toMatchObject({ code: 'data-mismatch' });
    await expect(start(Uint8Array.of(1, 2, 3))).rejects.toMatchObject({ code: 'runtime-rejected-model' });
  });

  it('refuses a profile of a session that was not opened for one', async () => {
    const { client } = await start(matrixChain(2, 16));
    await expect(client.profile(2)).rejects.toMatchObject({ code: 'runtime-failed' });
    await client.end();
  });
});
