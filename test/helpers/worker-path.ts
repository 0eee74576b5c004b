/** The test entries of worker processes. */
import { fileURLToPath } from 'node:url';
import { findWorker, type WorkerPath } from '../../native-workers/host/worker-path.ts';

export function testWorker(entry: 'worker-entry.ts' | 'worker-rude.ts', flags: readonly string[] = []): WorkerPath {
  return { ...findWorker(), entry: fileURLToPath(new URL(entry, import.meta.url)), flags };
}
