/** One supervisor for one command: made when the command starts, closed, with all its processes, when it ends. */
import { Supervisor } from '../host/supervisor.ts';
import type { JobName, JobRequest, JobResult } from '../protocol/jobs.ts';
import type { Context } from './cli.ts';

export async function supervised<T>(work: (supervisor: Supervisor) => Promise<T>): Promise<T> {
  const supervisor = new Supervisor();
  try {
    return await work(supervisor);
  } finally {
    await supervisor.close();
  }
}

/** Does one job in a process of its own, with its progress and warnings on the terminal. */
export function runOneJob<Name extends JobName>(
  name: Name,
  request: JobRequest<Name>,
  context: Context,
): Promise<JobResult<Name>> {
  return supervised(async (supervisor) => {
    const { result } = await supervisor.runJob(name, request, {
      signal: context.signal,
      onProgress: (progress) => context.progress(name, progress),
      onLog: (level, message) => {
        if (level === 'warning') context.say(`warning: ${message}`);
      },
    });
    return result;
  });
}
