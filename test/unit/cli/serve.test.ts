/** `hone serve` as a real process: what it prints, what it refuses, and what it leaves when it is interrupted. Needs `npm run build`. */
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import WebSocket from 'ws';
import { type HoneProcess, honeJson, startHone } from '../../helpers/run-hone.ts';
import { temporaryFolder } from '../../helpers/temp.ts';
import { tinyOnnx } from '../../helpers/tiny-onnx.ts';

const PATIENT = { timeout: 60_000 };

async function serve(library: string): Promise<HoneProcess & { readonly address: string }> {
  const process = startHone(library, ['serve', '--json']);
  await expect.poll(() => process.written().out, PATIENT).toContain('\n}\n');
  const { address } = JSON.parse(process.written().out) as { address: string };
  return { ...process, address };
}

/** A page, as far as the server can tell. */
async function openPage(address: string): Promise<(method: string, params: unknown) => Promise<unknown>> {
  const { origin, host } = new URL(address);
  const { headers } = await fetch(address, { redirect: 'manual' });
  const cookie = headers.get('set-cookie')?.split(';')[0] ?? '';
  const socket = new WebSocket(`ws://${host}/studio`, { headers: { origin, cookie } });
  onTestFinished(() => socket.terminate());
  const answers = new Map<number, (result: unknown) => void>();
  socket.on('message', (data) => {
    const { id, result, error } = JSON.parse(String(data)) as { id?: number; result?: unknown; error?: unknown };
    if (id !== undefined) answers.get(id)?.(error ?? result);
  });
  await new Promise((done, failed) => socket.on('open', done).on('error', failed));
  return (method, params) =>
    new Promise((done) => {
      answers.set(answers.size, done);
      socket.send(JSON.stringify({ id: answers.size - 1, method, params }));
    });
}

describe('hone serve', () => {
  it('prints an address that opens the studio, and ends cleanly', async () => {
    const { address, child, ended } = await serve(temporaryFolder());
    expect(address).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/\?token=[\w-]{43}$/);
    const call = await openPage(address);
    expect(await call('hello', {})).toMatchObject({ host: 'browser', presets: expect.any(Array) });
    child.kill('SIGTERM');
    expect((await ended).code).toBe(0);
  });

  it('says when its port is taken', async () => {
    const blocker = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => {
      blocker.close();
    });
    await new Promise((done) => blocker.once('listening', done));
    const port = (blocker.address() as { port: number }).port;
    const { code, json } = await honeJson(temporaryFolder(), 'serve', '--port', String(port));
    expect([code, json]).toMatchObject([4, { error: { code: 'port-in-use' } }]);
  });

  it('cancels what runs when it is interrupted, and leaves it to be resumed', async () => {
    const library = temporaryFolder();
    const model = join(library, 'tiny.onnx');
    const value = (name: string) => ({ name, shape: [1, 8] });
    const nodes = [{ type: 'Relu', inputs: ['x'], outputs: ['y'] }];
    writeFileSync(model, tinyOnnx({ nodes, inputs: [value('x')], outputs: [value('y')] }));
    const { address, child, ended } = await serve(library);
    const call = await openPage(address);
    const { id: grant } = (await call('files.grantPath', { path: model })) as { id: string };
    const recipe = { schema: 1, name: 'none', steps: [] };
    const request = { model: grant, recipe, seed: 0, benchmark: { seconds: 600 }, budgets: {} };
    const { id } = (await call('runs.start', request)) as { id: string };
    const stageOf = async (): Promise<unknown> => {
      const { stages } = (await call('runs.manifest', { id })) as { stages: { name: string; status: string }[] };
      return stages.find(({ status }) => status === 'running')?.name;
    };
    await expect.poll(stageOf, PATIENT).toBe('benchmark');
    child.kill('SIGINT');
    expect((await ended).code).toBe(0);
    const { json } = await honeJson(library, 'show', id);
    const { manifest } = json as { manifest: { status: string; stages: unknown[] } };
    expect(manifest.status).toBe('cancelled');
    expect(manifest.stages).toContainEqual(expect.objectContaining({ name: 'evaluate', status: 'done' }));
    expect(manifest.stages).toContainEqual(expect.objectContaining({ name: 'benchmark', status: 'cancelled' }));
  });
});
