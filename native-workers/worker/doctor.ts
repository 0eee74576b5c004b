/** `hone doctor`: which runtime is installed and which providers really run a model here. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeEnvironment } from '../bench/environment.ts';
import { VariantClient } from '../bench/variant-client.ts';
import { openEngine } from '../runtimes/onnxruntime.ts';
import { listProviders, PROBE_MODEL } from '../runtimes/providers.ts';
import type { Job } from './job.ts';

export const doctor: Job<'doctor'> = async (_request, context) => {
  const engine = await openEngine();
  const folder = await mkdtemp(join(tmpdir(), 'hone-doctor-'));
  try {
    const model = join(folder, 'probe.onnx');
    await writeFile(model, PROBE_MODEL);
    const providers = await listProviders(async (provider) => {
      await context.progress({ phase: 'trying providers', done: 0, total: null, detail: provider });
      await probe(model, provider);
    });
    return {
      runtime: { name: engine.name, version: engine.version },
      providers,
      environment: await describeEnvironment(`${engine.name} ${engine.version}`),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

/** In a process of its own: a driver that crashes takes only that one down. */
async function probe(model: string, provider: string): Promise<void> {
  const { client } = await VariantClient.start({
    model,
    provider,
    threads: 1,
    batch: null,
    seed: 0,
    feeds: null,
    warmup: 1,
    profilePrefix: null,
  });
  await client.end();
}
