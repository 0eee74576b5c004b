/** Supervisors over the test entries. */
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { Supervisor, type SupervisorOptions } from '../../native-workers/host/supervisor.ts';
import { findWorker, type WorkerPath } from '../../native-workers/host/worker-path.ts';

export function testWorker(entry: 'worker-entry.ts' | 'worker-rude.ts', flags: readonly string[] = []): WorkerPath {
  return { ...findWorker(), entry: fileURLToPath(new URL(entry, import.meta.url)), flags };
}

/** A supervisor of obedient workers, closed after the test. */
export function testSupervisor(options: SupervisorOptions = {}): Supervisor {
  const supervisor = new Supervisor({ worker: testWorker('worker-entry.ts'), ...options });
  onTestFinished(() => supervisor.close());
  return supervisor;
}
