import { expect, it } from 'vitest';
import { HoneError } from '../../../native-workers/protocol/errors.ts';
import { openEngine } from '../../../native-workers/runtimes/onnxruntime.ts';
import { checkProviderName, listProviders, PROBE_MODEL } from '../../../native-workers/runtimes/providers.ts';

it('has a model to try providers with', async () => {
  const session = await (await openEngine()).open(PROBE_MODEL);
  const x = { dtype: 'float32', shape: [4], data: Float32Array.of(1, 2, 3, 4) } as const;
  expect((await session.run({ x }))['y']?.data).toEqual(Float32Array.of(2, 4, 6, 8));
});

it('reports a provider whose trial fails with its reason, and does not try what cannot exist', async () => {
  const tried: string[] = [];
  const rows = await listProviders(async (name) => {
    tried.push(name);
    if (name !== 'cpu') throw new HoneError('worker-crashed', 'The driver crashed');
  });
  expect(rows[0]).toEqual({ name: 'cpu', available: true });
  expect(rows.find(({ name }) => name === 'wasm')).toEqual({
    name: 'wasm',
    available: false,
    reason: 'The driver crashed.',
  });
  const elsewhere = process.platform === 'darwin' ? 'cuda' : 'coreml';
  expect(tried).not.toContain(elsewhere);
});

it('knows the names', () => {
  expect(() => checkProviderName('cpu')).not.toThrow();
  expect(() => checkProviderName('abacus')).toThrow(expect.objectContaining({ code: 'provider-unavailable' }));
});
