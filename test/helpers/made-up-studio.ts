/**
 * A studio without an engine: canned answers behind the real browser host, for screens that are hard to reach with real
 * runs (hundreds of runs, names of any length, an interruption, a stage that fails). Never shipped; what a run really does is
 * tested with `hone serve`.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TARGET_FACTS } from '../../native-workers/artifacts/targets.ts';
import { type BrowserHost, startBrowserHost } from '../../native-workers/host/browser-host.ts';
import type { Studio } from '../../native-workers/host/studio.ts';
import { targetInfo } from '../../native-workers/passes/option-form.ts';
import { HoneError } from '../../native-workers/protocol/errors.ts';
import type { InspectFacts, Manifest } from '../../native-workers/protocol/facts.ts';
import type {
  Grant,
  RunSummary,
  StudioEvent,
  StudioMethod,
  StudioParams,
  StudioResult,
} from '../../native-workers/protocol/studio.ts';
import { HONE_VERSION } from '../../native-workers/protocol/version.ts';

export type Answers = {
  [Name in StudioMethod]?: (params: StudioParams<Name>) => StudioResult<Name> | Promise<StudioResult<Name>>;
};

export interface MadeUpStudio {
  readonly host: BrowserHost;
  /** Answers from now on; a method without one is refused with `not-yet`. */
  readonly answers: Answers;
  /** Where uploaded files are. */
  readonly inbox: string;
  emit(event: StudioEvent): void;
  close(): Promise<void>;
}

export async function startMadeUpStudio(answers: Answers = {}): Promise<MadeUpStudio> {
  const listeners = new Set<(event: StudioEvent) => void>();
  const all: Answers = {
    hello: () => HELLO,
    'runs.list': () => [],
    'runs.log': () => [],
    'runs.progress': () => null,
    inspect: () => FACTS,
    ...answers,
  };
  const studio: Pick<Studio, 'call' | 'subscribe'> & { grants: { grant: (path: string) => Promise<Grant> } } = {
    async call(method, params) {
      const answer = all[method as StudioMethod] as ((given: unknown) => unknown) | undefined;
      if (answer === undefined) throw new HoneError('not-yet', `The made-up studio has no answer to ${method}.`);
      return answer(params);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    grants: { grant: (path) => Promise.resolve(grant(path)) },
  };
  const inbox = await mkdtemp(join(tmpdir(), 'hone-made-up-'));
  const host = await startBrowserHost({
    // The host asks no more of it than this.
    studio: studio as unknown as Studio,
    assets: join(import.meta.dirname, '../../dist/renderer'),
    inbox,
  });
  return {
    host,
    answers: all,
    inbox,
    emit(event) {
      for (const listener of listeners) listener(event);
    },
    async close() {
      await host.close();
      await rm(inbox, { recursive: true, force: true });
    },
  };
}

export function grant(path: string, kind: Grant['kind'] = 'file'): Grant {
  return { id: path, name: path.split('/').at(-1) ?? path, kind, bytes: kind === 'file' ? 1_644_480 : null };
}

export const HELLO: StudioResult<'hello'> = {
  hone: HONE_VERSION,
  host: 'browser',
  platform: 'linux',
  library: '/var/lib/hone',
  targets: TARGET_FACTS.map(targetInfo),
  passes: [
    {
      id: 'clean',
      title: 'Clean up',
      summary: 'Folds constants, removes what no output needs, and shares equal weights.',
      family: 'clean',
      lossy: false,
      needs: ['engine'],
      options: [],
    },
    {
      id: 'every-option',
      title: 'A pass with every kind of option',
      summary: 'Shows how each kind of option looks as a field, with its unit, its range and its default.',
      family: 'quantize',
      lossy: true,
      needs: ['calibration'],
      options: [
        {
          name: 'perChannel',
          description: 'One scale for each output channel of a weight.',
          kind: 'boolean',
          default: true,
        },
        { name: 'bits', description: 'Bits of a weight.', kind: 'integer', default: 8, minimum: 2, maximum: 8 },
        {
          name: 'percentile',
          description: 'Share of values kept within the range, 0 to 1.',
          kind: 'number',
          default: 0.9999,
          minimum: 0,
          maximum: 1,
        },
        {
          name: 'method',
          description: 'How the range of an activation is chosen.',
          kind: 'choice',
          default: 'entropy',
          choices: ['minmax', 'entropy', 'percentile', 'mse'],
        },
        { name: 'keep', description: 'Names of nodes that stay as they are.', kind: 'list', default: [] },
        { name: 'prefix', description: 'What the names of new nodes begin with.', kind: 'text', default: 'hone_' },
        {
          name: 'limit',
          description: 'Most nodes changed; no limit when empty.',
          kind: 'integer',
          default: null,
          minimum: 1,
        },
      ],
    },
    {
      id: 'float16',
      title: 'Float16',
      summary: 'Weights and computation in half precision, but for what would overflow.',
      family: 'lower',
      lossy: true,
      needs: [],
      options: [{ name: 'keepIo', description: 'Inputs and outputs stay float32.', kind: 'boolean', default: true }],
    },
  ],
  presets: [
    {
      schema: 1,
      name: 'balanced',
      title: 'INT8, balanced',
      summary: 'Clean up, then INT8 where the runtime is faster with it.',
      steps: [{ pass: 'clean' }, { pass: 'every-option' }],
    },
    {
      schema: 1,
      name: 'half',
      title: 'Half precision',
      summary: 'Half the size, nearly the same numbers.',
      steps: [{ pass: 'clean' }, { pass: 'float16' }],
    },
  ],
};

export const FACTS: InspectFacts = {
  format: 'onnx',
  producer: 'pytorch 2.4.0',
  opsets: { '': 17, 'com.microsoft': 1 },
  irVersion: 8,
  inputs: [{ name: 'input', dtype: 'float32', shape: ['batch', 3, 48, 48] }],
  outputs: [{ name: 'logits', dtype: 'float32', shape: ['batch', 36] }],
  nodes: 140,
  operators: { Conv: 43, Constant: 58, Clip: 29, Add: 8, ReduceMean: 1, Gemm: 1 },
  parameters: 409_620,
  bytes: { total: 1_644_480, weights: 1_638_480 },
  macs: 14_311_936,
  precision: { float32: 1_630_000, int64: 8_480 },
  quantized: false,
  quantization: null,
  externalData: false,
  notes: [
    {
      code: 'symbolic-batch',
      message: 'The first dimension of the input is symbolic: it is taken as 1 where a number is needed.',
    },
    {
      code: 'wide-range',
      message: 'The weights of this node span more than INT8 can resolve; per-channel scales help.',
      node: '/features/features.3/conv/conv.1/conv.1.0/Conv',
    },
  ],
  tensors: Array.from({ length: 96 }, (_, index) => ({
    name: `features.${index}.conv.${index % 3}.weight`,
    dtype: 'float32',
    shape: [96 - (index % 40), 16, 3, 3],
    bytes: Math.round(120_000 / (index + 1)),
    usedBy: [`/features/features.${index}/conv/Conv`],
    ...(index === 4 || index === 30 ? { duplicateOf: 'features.0.conv.0.weight' } : {}),
  })),
  bytesByOperator: { Conv: 1_456_000, Gemm: 174_000 },
};

export function summary(id: string, change: Partial<RunSummary> = {}): RunSummary {
  return {
    id,
    title: `mobilenetv2.onnx, INT8`,
    status: 'done',
    created: '2026-03-04T10:20:30.000Z',
    model: 'mobilenetv2.onnx',
    modelSha256: 'a'.repeat(64),
    recipe: 'INT8, balanced',
    sizeBefore: 1_644_480,
    sizeAfter: 452_000,
    msBefore: 2.104,
    msAfter: 1.232,
    verdict: 'faster',
    metric: { name: 'top-1', before: 0.962, after: 0.9585 },
    ...change,
  };
}

/** A run whose stages before `at` are done and whose stage `at` is `status`. */
export function manifest(id: string, at: number, status: Manifest['status'], change: Partial<Manifest> = {}): Manifest {
  const names = ['inspect', 'optimize', 'evaluate', 'benchmark', 'report'] as const;
  return {
    schema: 1,
    hone: HONE_VERSION,
    id,
    title: 'mobilenetv2.onnx, INT8, balanced',
    created: '2026-03-04T10:20:30.000Z',
    updated: '2026-03-04T10:21:30.000Z',
    status,
    source: { path: 'mobilenetv2.onnx', name: 'mobilenetv2.onnx', bytes: 1_644_480, sha256: 'a'.repeat(64) },
    recipe: HELLO.presets[0] ?? { schema: 1, name: 'none', steps: [] },
    seed: 0,
    request: {},
    environment: null,
    stages: names.map((name, index) => ({
      name,
      status: index < at ? 'done' : index > at ? 'pending' : stageStatus(status),
      ms: index < at ? 840 * (index + 1) ** 3 : null,
      peakRss: index < at ? 180_000_000 : null,
    })),
    models: [],
    ...change,
  };
}

function stageStatus(status: Manifest['status']): Manifest['stages'][number]['status'] {
  return status === 'interrupted' ? 'pending' : status;
}
