import { expect, it } from 'vitest';
import { JOBS } from '../../../native-workers/protocol/jobs.ts';
import { doctor } from '../../../native-workers/worker/doctor.ts';

it('tries every provider for real and says why one is missing', async () => {
  const tried: (string | undefined)[] = [];
  const result = JOBS.doctor.result.parse(
    await doctor({}, { progress: async ({ detail }) => void tried.push(detail), log: () => undefined }),
  );
  const providers = new Map(result.providers.map((provider) => [provider.name, provider]));
  expect(result.runtime).toMatchObject({ name: 'ONNX Runtime' });
  expect(result.environment?.cores).toBeGreaterThan(0);
  expect(tried).toEqual(expect.arrayContaining(['cpu', 'wasm']));
  expect(providers.get('cpu')).toEqual({ name: 'cpu', available: true });
  expect(providers.get('wasm')).toEqual({ name: 'wasm', available: true });
  const elsewhere = process.platform === 'darwin' ? 'dml' : 'coreml';
  expect(providers.get(elsewhere)).toMatchObject({ available: false, reason: expect.stringContaining('exists on') });
  for (const { available, reason } of result.providers) expect(reason === undefined).toBe(available);
});
