/** Supervisors over the test workers. */
import { onTestFinished } from 'vitest';
import { Supervisor, type SupervisorOptions } from '../../native-workers/host/supervisor.ts';
import { testWorker } from './worker-path.ts';

/** A supervisor of obedient workers, closed after the test. */
export function testSupervisor(options: SupervisorOptions = {}): Supervisor {
  const supervisor = new Supervisor({ worker: testWorker('worker-entry.ts'), ...options });
  onTestFinished(() => supervisor.close());
  return supervisor;
}
