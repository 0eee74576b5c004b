/**
 * Ends this process, and all that it started, when its host is gone. The pipe to the host tells that too, but only to an
 * event loop that turns: a native call blocks it for minutes. So a thread looks, once a second, whether the parent still lives.
 */
import { Worker } from 'node:worker_threads';

/** Code of the thread, as text: it needs no module and no bundle of its own. */
const SOURCE = `
const { workerData: host } = require('node:worker_threads');
setInterval(() => {
  let alive = process.ppid === host;
  // On Windows a process keeps the number of its dead parent.
  if (alive) try { process.kill(host, 0); } catch (error) { alive = error.code === 'EPERM'; }
  if (!alive) (${endProcessGroup.toString()})();
}, 1000);
`;

export function watchHost(): void {
  const thread = new Worker(SOURCE, {
    eval: true,
    workerData: process.ppid,
    resourceLimits: { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 1 },
  });
  thread.unref();
}

/** SIGKILL for the process group that the supervisor made this process the leader of; for this process alone elsewhere. */
export function endProcessGroup(): void {
  try {
    if (process.platform !== 'win32') process.kill(-process.pid, 'SIGKILL');
  } catch {
    // Not started as a leader.
  }
  process.kill(process.pid, 'SIGKILL');
}
