/**
 * The worker's side of the protocol: says hello, does the one job it is told, answers and exits. Every message is checked on
 * the way in, and every result on the way out.
 */
import { Socket } from 'node:net';
import { z } from 'zod';
import { Channel } from '../lib/channel.ts';
import { peakMemory } from '../lib/peak-memory.ts';
import { HoneError, toHoneError } from '../protocol/errors.ts';
import { JOBS, type JobName, type JobRequest, type JobResult } from '../protocol/jobs.ts';
import { hostMessageSchema, type WorkerMessage } from '../protocol/messages.ts';
import { schemaText } from '../protocol/schema-text.ts';
import { HONE_VERSION, PROTOCOL_VERSION } from '../protocol/version.ts';
import { WorkerContext } from './context.ts';
import type { Job } from './job.ts';
import { endProcessGroup, watchHost } from './watchdog.ts';

/** Jobs by name; each is loaded when asked for, so that inspecting a model does not load an inference engine. */
export type JobRegistry = { readonly [Name in JobName]?: () => Promise<Job<Name>> };

/** The pipe to the host: the supervisor puts it at this file descriptor. */
export const CHANNEL_FD = 3;

/** Of a host of any version; the rest of its messages may differ. */
const versionSchema = z.object({ type: z.literal('start'), protocol: z.number() });

/** Serves one job over the channel that the process was started with. */
export function serveJob(registry: JobRegistry): void {
  watchHost();
  let started = false;
  const channel = new Channel(new Socket({ fd: CHANNEL_FD, readable: true, writable: true }), {
    message: (value) => {
      try {
        take(value);
      } catch (thrown) {
        void fail(thrown);
      }
    },
    garbage: (reason) => void fail(new HoneError('protocol-violation', `The host sent no message but ${reason}.`)),
    closed: endProcessGroup,
  });
  const context = new WorkerContext(channel);
  const send = (message: WorkerMessage): void => channel.send(message);

  const answer = async (message: WorkerMessage): Promise<void> => {
    send(message);
    await channel.end();
    process.exit(0);
  };
  const fail = (thrown: unknown): Promise<void> =>
    answer({ type: 'error', error: toHoneError(thrown).toData(), peakRss: peakMemory() });

  const take = (value: unknown): void => {
    const version = versionSchema.safeParse(value);
    if (version.success && version.data.protocol !== PROTOCOL_VERSION) {
      throw new HoneError(
        'protocol-mismatch',
        `The host speaks protocol ${version.data.protocol}, the worker ${PROTOCOL_VERSION}.`,
      );
    }
    const message = hostMessageSchema.safeParse(value);
    if (!message.success) {
      throw new HoneError('protocol-violation', `The host sent an unknown message: ${schemaText(message.error)}`);
    }
    if (message.data.type === 'cancel') {
      context.cancel();
      return;
    }
    if (started) throw new HoneError('protocol-violation', 'The host started a second job in one process.');
    started = true;
    runJob(registry, message.data.job, message.data.request, context)
      .then((result) => answer({ type: 'result', result, peakRss: peakMemory() }))
      .catch(fail);
  };

  process.on('uncaughtException', (error) => void fail(error));
  send({
    type: 'hello',
    protocol: PROTOCOL_VERSION,
    hone: HONE_VERSION,
    node: process.versions.node,
    pid: process.pid,
  });
}

async function runJob(registry: JobRegistry, name: string, request: unknown, context: WorkerContext): Promise<unknown> {
  if (!isJobName(name)) throw new HoneError('protocol-violation', `The host asked for an unknown job, ${name}.`);
  return runNamed(registry, name, request, context);
}

async function runNamed<Name extends JobName>(
  registry: JobRegistry,
  name: Name,
  request: unknown,
  context: WorkerContext,
): Promise<JobResult<Name>> {
  const load: (() => Promise<Job<Name>>) | undefined = registry[name];
  if (load === undefined) throw new HoneError('not-yet', `This version does not have the job ${name}.`);
  const checked = JOBS[name].request.safeParse(request);
  if (!checked.success) throw violation(`the request of job ${name}`, checked.error);
  const job = await load();
  const result = JOBS[name].result.safeParse(await job(checked.data as JobRequest<Name>, context));
  if (!result.success) throw violation(`the result of job ${name}`, result.error);
  return result.data as JobResult<Name>;
}

function violation(what: string, error: z.ZodError): HoneError {
  return new HoneError('protocol-violation', `The schema does not allow ${what}: ${schemaText(error)}`);
}

function isJobName(name: string): name is JobName {
  return Object.hasOwn(JOBS, name);
}
