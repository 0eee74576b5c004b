/** A manifest for tests that need one and do not care what is in it. */
import { type Manifest, STAGES } from '../../native-workers/protocol/facts.ts';

export function testManifest(changes: Partial<Manifest> = {}): Manifest {
  return {
    schema: 1,
    hone: '0.1.0',
    id: '20260314-092653-k7mq-tiny',
    title: 'tiny.onnx, Test',
    created: '2026-03-14T09:26:53.000Z',
    updated: '2026-03-14T09:26:53.000Z',
    status: 'done',
    source: { path: '/models/tiny.onnx', name: 'tiny.onnx', bytes: 100, sha256: 'ab'.repeat(32) },
    recipe: { schema: 1, name: 'test', title: 'Test', steps: [] },
    seed: 1,
    request: {},
    environment: null,
    stages: STAGES.filter((name) => name !== 'package').map((name) => ({
      name,
      status: 'done',
      ms: 1,
      peakRss: 1,
    })),
    models: [],
    ...changes,
  };
}
