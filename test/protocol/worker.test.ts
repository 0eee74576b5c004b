/** The worker's side of the protocol: what it answers to a host that does not keep to it. */
import { spawn } from 'node:child_process';
import type { Duplex } from 'node:stream';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Channel } from '../../native-workers/lib/channel.ts';
import { type WorkerMessage, workerMessageSchema } from '../../native-workers/protocol/messages.ts';
import { HONE_VERSION, PROTOCOL_VERSION } from '../../native-workers/protocol/version.ts';
import { testWorker } from '../helpers/worker-path.ts';

const START = { type: 'start', protocol: PROTOCOL_VERSION, job: 'inspect', request: { model: 'well' } };

/** Starts a worker, sends it messages after its hello, and gives all that it sent until it ended. */
async function talk(...messages: readonly unknown[]): Promise<WorkerMessage[]> {
  const { node, entry } = testWorker('worker-entry.ts');
  const child = spawn(node, [entry], { stdio: ['ignore', 'ignore', 'inherit', 'overlapped'] });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  const stream = child.stdio[3] as Duplex;
  const received: WorkerMessage[] = [];
  await new Promise<void>((resolve) => {
    const channel = new Channel(stream, {
      message: (value) => {
        const message = workerMessageSchema.parse(value);
        received.push(message);
        if (message.type !== 'hello') return;
        for (const each of messages) {
          if (each instanceof Uint8Array) stream.write(each);
          else channel.send(each);
        }
      },
      garbage: (reason) => expect.unreachable(reason),
      closed: resolve,
    });
  });
  return received;
}

const errorOf = (messages: readonly WorkerMessage[]): string =>
  messages.map((message) => (message.type === 'error' ? message.error.code : message.type)).join(', ');

describe('a worker', () => {
  it('says who it is, does the job and ends', async () => {
    const messages = await talk(START);
    expect(messages[0]).toEqual({
      type: 'hello',
      protocol: PROTOCOL_VERSION,
      hone: HONE_VERSION,
      node: process.versions.node,
      pid: expect.any(Number),
    });
    expect(errorOf(messages)).toBe('hello, result');
  });

  it.each<[string, readonly unknown[], string]>([
    ['a host of another version', [{ ...START, protocol: 99, more: true }], 'protocol-mismatch'],
    ['an unknown message', [{ type: 'gossip' }], 'protocol-violation'],
    ['an unknown job', [{ ...START, job: 'make-coffee' }], 'protocol-violation'],
    ['a job with the name of an inherited property', [{ ...START, job: 'constructor' }], 'protocol-violation'],
    ['a job that it does not have', [{ ...START, job: 'doctor', request: {} }], 'not-yet'],
    ['a request that the schema refuses', [{ ...START, request: { model: 1 } }], 'protocol-violation'],
    ['a second job', [{ ...START, request: { model: 'wait' } }, START], 'protocol-violation'],
    ['bytes that are no message', [Buffer.from('00000004deadbeef', 'hex')], 'protocol-violation'],
  ])('answers %s', async (_, messages, code) => {
    expect(errorOf((await talk(...messages)).filter((message) => message.type !== 'progress'))).toBe(`hello, ${code}`);
  });

  it('stops at its next step when it is cancelled', async () => {
    const messages = await talk({ ...START, request: { model: 'wait' } }, { type: 'cancel' });
    expect(errorOf(messages)).toMatch(/cancelled$/);
  });
});
