/**
 * A worker entry with jobs that behave as they are told: the real protocol and process around work that a test can steer.
 * The `inspect` job takes its orders from the model's name. The stages of a run take theirs from `orders.json` beside the model:
 * `{ "evaluate": "crash" }`; a stage without orders does a little and writes facts that a report helper could read.
 */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { temporaryPathFor, writeFileAtomic } from '../../native-workers/lib/atomic-file.ts';
import { hashFile } from '../../native-workers/lib/hash-file.ts';
import { HoneError } from '../../native-workers/protocol/errors.ts';
import type { ModelFile, StageName } from '../../native-workers/protocol/facts.ts';
import type { JobRequest } from '../../native-workers/protocol/jobs.ts';
import type { JobContext } from '../../native-workers/worker/job.ts';
import { CHANNEL_FD, type JobRegistry, serveJob } from '../../native-workers/worker/serve.ts';
import { INSPECT_FACTS } from './worker-facts.ts';

type StageRequest = JobRequest<'stage-inspect'>;

async function obey(order: string, context: JobContext): Promise<void> {
  switch (order) {
    case 'exit':
      process.stderr.write('the last words of the worker\n');
      return process.exit(7);
    case 'abort':
      return process.abort();
    case 'segfault':
      process.kill(process.pid, 'SIGSEGV');
      return sleep(60_000);
    case 'kill':
      // As the system does it when memory is short, or a user who has had enough.
      process.kill(process.pid, 'SIGKILL');
      return sleep(60_000);
    case 'bad-alloc':
      writeSync(2, "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc\n");
      return process.abort();
    case 'heap':
      return fillHeap();
    case 'hang':
      context.log('info', 'hangs');
      // Blocks the thread as a native call does: no timer, no message and no signal handler runs.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
      return;
    case 'wait':
      // Stops when it is asked to, at its next step.
      for (let step = 0; ; step++) {
        await context.progress({ phase: 'waiting', done: step, total: null });
        await sleep(5);
      }
    case 'deaf':
      // Alive, and never looks at the cancel flag.
      for (let step = 0; ; step++) {
        context.log('info', `step ${step}`);
        await sleep(20);
      }
    case 'silent':
      context.log('info', 'is silent');
      return sleep(600_000);
    case 'child':
      return startChild(context);
    case 'unhandled':
      setTimeout(() => {
        throw new Error('thrown where nobody waits');
      }, 1);
      return sleep(60_000);
    case 'raw-garbage':
      writeSync(CHANNEL_FD, Buffer.from('00000008deadbeefdeadbeef', 'hex'));
      return sleep(60_000);
    case 'huge-message':
      writeSync(CHANNEL_FD, Buffer.from('ffffffff00', 'hex'));
      return sleep(60_000);
    case 'input-error':
      throw new HoneError('file-truncated', 'The file ends too early.', { where: { file: 'model.onnx', offset: 12 } });
    case 'plain-error':
      throw new Error('something else');
    case 'environment':
      context.log('info', JSON.stringify(process.env));
      return;
    case 'spill':
      await writeFile(join(process.env['TMPDIR'] ?? '', 'spilled.bin'), 'much');
      context.log('info', process.env['TMPDIR'] ?? '');
      return process.abort();
    default:
      return;
  }
}

function fillHeap(): void {
  const kept: number[][] = [];
  for (;;) kept.push(new Array<number>(100_000).fill(kept.length + 0.5));
}

/** Starts a process of its own that would live for long, tells its number, and hangs. */
async function startChild(context: JobContext): Promise<void> {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  context.log('info', `child ${child.pid}`);
  await context.progress({ phase: 'started', done: 1, total: 1 });
  await obey('hang', context);
}

function stage(name: StageName) {
  return async (request: StageRequest, context: JobContext) => {
    const { model } = request.request;
    await context.progress({ phase: `${name} begins`, done: 0, total: 2 });
    const order = orderFor(name, model);
    await obey(order, context);
    if (order === 'fill-disk') fillDisk(join(request.run, 'filler'));
    if (order === 'die-writing') {
      writeFileSync(temporaryPathFor(request.file), '{"half');
      process.kill(process.pid, 'SIGKILL');
    }
    await context.progress({ phase: `${name} ends`, done: 2, total: 2 });
    const models: ModelFile[] = [];
    if (name === 'inspect') {
      models.push({ id: 'source', path: model, ...(await hashFile(model)), parent: null, label: 'original' });
    }
    if (name === 'optimize') {
      const path = 'optimized.onnx';
      await writeFileAtomic(join(request.run, path), `optimized ${readFileSync(model, 'utf8')}`);
      const hash = await hashFile(join(request.run, path));
      models.push({ id: 'optimized', path, ...hash, parent: 'source', label: 'optimized' });
    }
    const more = order === 'big-facts' ? 'x'.repeat(8 << 20) : '';
    await writeFileAtomic(request.file, JSON.stringify({ stage: name, more }));
    return { models };
  };
}

/** Writes until the disk takes no more, not even a byte. */
function fillDisk(path: string): void {
  const file = openSync(path, 'w');
  for (let size = 64 << 10; size > 0; ) {
    try {
      writeSync(file, Buffer.alloc(size));
    } catch {
      size >>= 1;
    }
  }
  closeSync(file);
}

function orderFor(name: StageName, model: string): string {
  const file = join(dirname(model), 'orders.json');
  if (!existsSync(file)) return '';
  const orders: unknown = JSON.parse(readFileSync(file, 'utf8'));
  if (typeof orders !== 'object' || orders === null || !(name in orders)) return '';
  return String((orders as Record<string, unknown>)[name]);
}

const REGISTRY: JobRegistry = {
  inspect: async () => async (request, context) => {
    await obey(request.model, context);
    if (request.model === 'wrong-result') return { ...INSPECT_FACTS, nodes: 'many' as unknown as number };
    return INSPECT_FACTS;
  },
  'stage-inspect': async () => stage('inspect'),
  'stage-optimize': async () => stage('optimize'),
  'stage-evaluate': async () => stage('evaluate'),
  'stage-benchmark': async () => stage('benchmark'),
  'stage-package': async () => stage('package'),
  'stage-report': async () => stage('report'),
  package: async () => async (request) => ({
    artifacts: request.targets.map((target) => ({
      target,
      status: request.coverageOnly ? 'made' : 'failed',
      path: '',
      bytes: 0,
      sha256: '',
      files: [],
      requires: {},
      verified: null,
      coverage: { nodes: 1, supported: 1, unsupported: [] },
      notes: [],
      ms: 0,
    })),
    sizes: [],
  }),
  // Tells what was asked for as names and labels of samples.
  'preview-data': async () => async (request) => ({
    name: request.data,
    kind: 'test',
    samples: 1,
    labelled: false,
    classes: null,
    preprocess: null,
    notes: [],
    skipped: [],
    first: (request.only?.only ?? []).map((sample) => ({
      sample,
      label: `${request.data} ${request.only?.limit} ${request.only?.seed}`,
      group: null,
      inputs: [],
    })),
  }),
};

serveJob(REGISTRY);
