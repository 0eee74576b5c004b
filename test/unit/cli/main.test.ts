/** The command line as scripts use it: real processes, a real model, the contract's fields and exit codes. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../../../native-workers/lib/random.ts';
import { hone, honeJson, startHone } from '../../helpers/run-hone.ts';
import { temporaryFolder } from '../../helpers/temp.ts';
import { tinyOnnx } from '../../helpers/tiny-onnx.ts';

/** A matrix product with enough weights to be worth quantizing, and an activation. */
function modelFile(folder: string): string {
  const random = new Random(1);
  const weights = Float32Array.from({ length: 128 * 64 }, () => random.normal());
  const path = join(folder, 'tiny.onnx');
  const bytes = tinyOnnx({
    inputs: [{ name: 'x', shape: [1, 128] }],
    outputs: [{ name: 'y', shape: [1, 64] }],
    weights: [{ name: 'w', shape: [128, 64], data: weights }],
    nodes: [
      { type: 'MatMul', name: 'product', inputs: ['x', 'w'], outputs: ['p'] },
      { type: 'Relu', name: 'relu', inputs: ['p'], outputs: ['y'] },
    ],
  });
  writeFileSync(path, bytes);
  return path;
}

const errorOf = (json: unknown): { code: string; kind: string; message: string; hint?: string } =>
  (json as { error: { code: string; kind: string; message: string } }).error;

describe('wrong usage', () => {
  it.each([
    [['inspect', 'x', '--nonsense'], "unknown option '--nonsense'"],
    [['nonsense'], "unknown command 'nonsense'"],
    [['inspect'], "missing required argument 'model'"],
    [['inspect', 'a', 'b'], 'too many arguments'],
    [['optimize', 'x', '--seconds', 'soon'], '--seconds'],
    [['report', 'x', '--format', 'pdf'], '--format'],
    [['serve', '--port', '70000'], '--port'],
    [['eval', 'x'], '--data'],
    [['optimize', __filename, '--preset', 'clean', '--set', 'nonsense'], '--set'],
    [['optimize', __filename, '--preset', 'clean', '--recipe', 'r.json'], '--recipe'],
  ])('%j ends with 2 and names what is wrong', async (args, named) => {
    const { code, json } = await honeJson(temporaryFolder(), ...args);
    expect([code, errorOf(json).code]).toEqual([2, 'usage']);
    expect(errorOf(json).message).toContain(named);
  });

  it('without arguments is the help on standard error', async () => {
    const { code, out, err } = await hone(temporaryFolder());
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain('optimize');
    expect(await hone(temporaryFolder(), '--help')).toMatchObject({ code: 0, err: '' });
  });

  it('is told to people on standard error', async () => {
    const { code, out, err } = await hone(temporaryFolder(), 'runs', '--nonsense');
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain("unknown option '--nonsense'");
  });
});

describe('bad input', () => {
  it.each([
    ['missing', null, 'file-missing'],
    ['empty', '', 'file-empty'],
    ['garbage', 'no model at all, but long enough to be looked at', 'file-not-a-model'],
  ])('a %s model ends with 3', async (name, content, expected) => {
    const folder = temporaryFolder();
    const path = join(folder, `${name}.onnx`);
    if (content !== null) writeFileSync(path, content);
    for (const command of ['inspect', 'optimize', 'bench']) {
      const { code, json } = await honeJson(folder, command, path);
      expect([command, code, errorOf(json).code, errorOf(json).kind]).toEqual([command, 3, expected, 'input']);
      expect(errorOf(json).hint).toBeTruthy();
    }
  });

  it.each([
    ['no JSON', '{', 'invalid-recipe'],
    ['another schema', '{"schema":9,"name":"x","steps":[]}', 'invalid-recipe'],
    ['an unknown pass', '{"schema":1,"name":"x","steps":[{"pass":"shrink"}]}', 'unknown-pass'],
    ['an unknown option', '{"schema":1,"name":"x","steps":[{"pass":"clean","options":{"x":1}}]}', 'invalid-options'],
  ])('a recipe with %s ends with 3, before anything is made', async (_name, text, expected) => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'recipe.json'), text);
    const { code, json } = await honeJson(
      folder,
      'optimize',
      modelFile(folder),
      '--recipe',
      join(folder, 'recipe.json'),
    );
    expect([code, errorOf(json).code]).toEqual([3, expected]);
    expect(readdirSync(folder)).not.toContain('runs');
  });

  it.each([
    [['--preset', 'nonsense'], 'unknown-preset', 'nonsense'],
    [['--preset', 'clean', '--set', 'clean.nonsense=1'], 'invalid-options', 'nonsense'],
    [['--preset', 'clean', '--set', 'clean.foldConstants=7'], 'invalid-options', 'clean.foldConstants'],
    [['--preset', 'clean', '--set', 'float16.mode=compute'], 'invalid-options', 'no pass float16'],
    [['--preset', 'clean', '--set', 'nonsense.x=1'], 'unknown-pass', 'nonsense'],
    [['--preset', 'clean', '--calib', 'no-such-folder'], 'file-missing', 'no-such-folder'],
  ])('%j ends with 3 and names it', async (flags, expected, named) => {
    const folder = temporaryFolder();
    const { code, json } = await honeJson(folder, 'optimize', modelFile(folder), ...flags);
    expect([code, errorOf(json).code]).toEqual([3, expected]);
    expect(errorOf(json).message).toContain(named);
  });

  it.each([
    [['--eval', 'no-such-file.csv'], 'file-missing', 'no-such-file.csv'],
    [['--batch', '8'], 'data-mismatch', "Input 'x' [1, 128] has a batch that is fixed at 1"],
  ])('%j ends with 3 before the model is optimized', async (flags, expected, named) => {
    const folder = temporaryFolder();
    const { code, json } = await honeJson(folder, 'optimize', modelFile(folder), '--preset', 'clean', ...flags);
    expect([code, errorOf(json).code]).toEqual([3, expected]);
    expect(errorOf(json).message).toContain(named);
    expect(json).not.toMatchObject({ stages: [{ name: 'inspect' }, { name: 'optimize', status: 'done' }] });
  });

  it('evaluation data without the columns of the model ends with 3 before the model is optimized', async () => {
    const folder = temporaryFolder();
    const data = join(folder, 'data.csv');
    writeFileSync(data, 'a,label\n1,0\n');
    const { code, json } = await honeJson(folder, 'optimize', modelFile(folder), '--preset', 'clean', '--eval', data);
    expect([code, errorOf(json).code]).toEqual([3, 'data-mismatch']);
    expect(json).toMatchObject({
      stages: [{ name: 'inspect', status: 'failed' }, { name: 'optimize', status: 'skipped' }, {}, {}, {}],
    });
  });

  it('an unknown run ends with 3', async () => {
    const library = temporaryFolder();
    for (const args of [
      ['show', 'x'],
      ['resume', 'x'],
      ['report', 'x'],
      ['verify', 'x'],
      ['show', 'latest'],
    ]) {
      const { code, json } = await honeJson(library, ...args);
      expect([args, code, errorOf(json).code]).toEqual([args, 3, 'unknown-run']);
    }
  });

  it('a library that is a file ends with 4', async () => {
    const folder = temporaryFolder();
    const library = join(folder, 'library');
    writeFileSync(library, '');
    for (const args of [['optimize', modelFile(folder), '--preset', 'clean'], ['serve']]) {
      const { code, json } = await honeJson(library, ...args);
      expect([args[0], code, errorOf(json).code]).toEqual([args[0], 4, 'no-permission']);
    }
  });
});

describe('what there is', () => {
  it('is listed from the schemas', async () => {
    const { json } = await honeJson(temporaryFolder(), 'passes');
    const { passes, presets } = json as {
      passes: { id: string }[];
      presets: { name: string; steps: { pass: string }[] }[];
    };
    const ids = passes.map(({ id }) => id);
    expect(ids).toContain('clean');
    for (const { steps } of presets) for (const { pass } of steps) expect(ids).toContain(pass);
    const one = await honeJson(temporaryFolder(), 'passes', 'float16');
    expect(one.json).toMatchObject({
      id: 'float16',
      options: expect.arrayContaining([expect.objectContaining({ name: 'mode', kind: 'choice', default: 'weights' })]),
    });
  });

  it('ends quietly when its reader goes first', async () => {
    const { child, ended } = startHone(temporaryFolder(), ['passes', '--json']);
    child.stdout.destroy();
    expect((await ended).err).toBe('');
  });

  it('of this machine is told by the doctor', async () => {
    const library = join(temporaryFolder(), 'not', 'there', 'yet');
    const { code, json } = await honeJson(library, 'doctor');
    expect(code).toBe(0);
    expect(json).toMatchObject({
      runtime: { name: 'ONNX Runtime', version: expect.any(String) },
      providers: expect.arrayContaining([expect.objectContaining({ name: 'cpu', available: true })]),
      library: { folder: library, writable: true, freeBytes: expect.any(Number) },
      missing: expect.any(Array),
    });
  });
});

describe('a model', () => {
  it('is inspected', async () => {
    const folder = temporaryFolder();
    const { code, json } = await honeJson(folder, 'inspect', modelFile(folder));
    expect(code).toBe(0);
    expect(json).toMatchObject({
      format: 'onnx',
      inputs: [{ name: 'x', dtype: 'float32', shape: [1, 128] }],
      nodes: 2,
      operators: { MatMul: 1, Relu: 1 },
      parameters: 8192,
      macs: 8192,
      quantized: false,
    });
  });

  it('is forecast without a run being made', async () => {
    const folder = temporaryFolder();
    const { code, json } = await honeJson(folder, 'optimize', modelFile(folder), '--dry-run');
    expect(code).toBe(0);
    expect(json).toMatchObject({
      dryRun: true,
      recipe: { name: 'int8-dynamic' },
      reason: expect.any(String),
      memory: { value: expect.any(Number), basis: expect.any(String), free: expect.any(Number) },
      disk: { value: expect.any(Number), basis: expect.any(String) },
      time: { value: expect.any(Number), basis: expect.any(String) },
    });
    const { passes } = json as { passes: { pass: string; weightBytesBefore: number; weightBytesAfter: number }[] };
    expect(passes).toContainEqual(
      expect.objectContaining({ pass: 'quantize-dynamic', nodes: 1, weightBytesBefore: 32768, weightBytesAfter: 8192 }),
    );
    expect(readdirSync(folder)).toEqual(['tiny.onnx']);
  });

  it('is benchmarked against itself', async () => {
    const folder = temporaryFolder();
    const model = modelFile(folder);
    const { code, json } = await honeJson(folder, 'bench', model, model, '--seconds', '1', '--threads', '1');
    expect(code).toBe(0);
    const document = json as {
      variants: { id: string; samples: number[]; stats: { count: number } }[];
      comparisons: unknown[];
    };
    expect(document.variants).toHaveLength(2);
    for (const variant of document.variants) {
      expect(variant).toMatchObject({ provider: 'cpu', threads: 1, batch: 1, coldStart: { load: expect.any(Number) } });
      expect(variant.stats.count).toBe(variant.samples.length);
    }
    expect(document.comparisons).toEqual([
      { a: '1', b: '2', ratio: expect.objectContaining({ confidence: 0.95, verdict: expect.any(String) }) },
    ]);
  });

  it('is compared with another', async () => {
    const folder = temporaryFolder();
    const model = modelFile(folder);
    const { code, json } = await honeJson(folder, 'eval', model, '--against', model);
    expect(code).toBe(0);
    expect(json).toMatchObject({ metrics: [], fidelity: { inputs: 'seeded', outputs: [{ name: 'y', maxAbs: 0 }] } });
  });
});

describe('a run', () => {
  let library = '';
  let document: Record<string, unknown> = {};
  const folderOf = (): string => String(document['folder']);

  beforeAll(() => {
    library = mkdtempSync(join(tmpdir(), 'hone-test-'));
    return () => rmSync(library, { recursive: true, force: true });
  });

  it('gives what the contract says', async () => {
    const model = modelFile(library);
    const out = join(library, 'out');
    const flags = ['--preset', 'int8-dynamic', '--seconds', '1', '--max-mb', '100', '--out', out];
    const { code, json } = await honeJson(library, 'optimize', model, ...flags);
    document = json as Record<string, unknown>;
    expect(document['error']).toBeUndefined();
    expect(code).toBe(0);
    expect(json).toMatchObject({
      run: expect.any(String),
      status: 'done',
      recipe: { name: 'int8-dynamic' },
      models: [
        { id: 'source', path: model, parent: null },
        {
          id: expect.any(String),
          bytes: expect.any(Number),
          sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
          parent: 'source',
        },
      ],
      stages: ['inspect', 'optimize', 'evaluate', 'benchmark', 'report'].map((name) => ({ name, status: 'done' })),
      fidelity: { cosine: expect.any(Number), sqnrDb: expect.any(Number), maxAbs: expect.any(Number) },
      latency: {
        provider: 'cpu',
        before: { p50: expect.any(Number), warmup: expect.any(Number) },
        after: { p99: expect.any(Number), throughput: expect.any(Number) },
        ratio: { low: expect.any(Number), high: expect.any(Number), confidence: 0.95 },
      },
      size: { before: expect.any(Number), after: expect.any(Number), ratio: expect.any(Number) },
      budgets: [{ id: 'maxMb', status: 'met' }],
      report: join(folderOf(), 'report.json'),
      absent: { metrics: { status: 'not-measured' } },
    });
    expect(readdirSync(out)).toEqual(expect.arrayContaining(['report.json', 'report.md']));
  });

  it('is listed, shown and written as a report', async () => {
    const run = String(document['run']);
    expect((await honeJson(library, 'runs')).json).toMatchObject({ runs: [{ id: run, status: 'done' }] });
    expect((await honeJson(library, 'runs', 'no-such-word')).json).toMatchObject({ runs: [] });
    expect((await honeJson(library, 'show', 'latest')).json).toMatchObject({
      manifest: { id: run },
      report: { kind: 'hone-report' },
    });
    const shown = await hone(library, 'show', run);
    expect(shown.out).toContain('Latency, median');
    const out = join(library, 'reports');
    const { json } = await honeJson(library, 'report', 'latest', '--format', 'md,csv,json', '--out', out);
    expect(json).toEqual({ files: ['md', 'csv', 'json'].map((form) => join(out, `report.${form}`)) });
    expect(readFileSync(join(out, 'report.json'), 'utf8')).toBe(readFileSync(join(folderOf(), 'report.json'), 'utf8'));
  });

  it('without its report says how to get one', async () => {
    const copy = join(library, 'unfinished');
    cpSync(folderOf(), copy, { recursive: true, filter: (path) => !path.endsWith('report.json') });
    const { code, json } = await honeJson(library, 'report', copy);
    expect(code).toBe(3);
    expect(json).toMatchObject({ error: { code: 'report-missing', hint: expect.stringContaining('hone resume') } });
  });

  it('is verified, until a number is changed', async () => {
    expect(await honeJson(library, 'verify', 'latest')).toMatchObject({ code: 0, json: { status: 'verified' } });
    const copy = join(library, 'changed');
    mkdirSync(copy);
    const report = readFileSync(join(folderOf(), 'report.json'), 'utf8');
    writeFileSync(
      join(copy, 'report.json'),
      report.replace(/"p50":(\d)/, (_all, digit) => `"p50":${(Number(digit) + 1) % 10}`),
    );
    const { code, json } = await honeJson(library, 'verify', join(copy, 'report.json'));
    expect([code, json]).toMatchObject([1, { status: 'altered' }]);
  });

  it('that is done cannot be resumed', async () => {
    const { code, json } = await honeJson(library, 'resume', 'latest');
    expect([code, errorOf(json).code]).toEqual([3, 'run-not-resumable']);
  });

  it('that misses a budget ends with 1, with its whole document', async () => {
    const folder = temporaryFolder();
    const flags = ['--preset', 'clean', '--seconds', '1', '--max-mb', '0.000001'];
    const { code, json } = await honeJson(folder, 'optimize', modelFile(folder), ...flags);
    expect([code, json]).toMatchObject([1, { status: 'done', budgets: [{ id: 'maxMb', status: 'missed' }] }]);
  });

  it('is cancelled by an interrupt, and resumed', async () => {
    const folder = temporaryFolder();
    const flags = ['optimize', modelFile(folder), '--preset', 'clean', '--seconds', '600', '--json'];
    const { child, ended, written } = startHone(folder, flags);
    await expect.poll(() => written().err, { timeout: 60_000 }).toContain('measuring');
    child.kill('SIGINT');
    const { code, out } = await ended;
    const cancelled = JSON.parse(out) as {
      status: string;
      run: string;
      error: { code: string };
      stages: { name: string; status: string }[];
    };
    expect([code, cancelled.status, cancelled.error.code]).toEqual([4, 'cancelled', 'cancelled']);
    expect(cancelled.stages.find(({ name }) => name === 'evaluate')?.status).toBe('done');
    expect((await honeJson(folder, 'verify', cancelled.run)).json).toMatchObject({ status: 'incomplete' });

    const manifest = join(folder, 'runs', cancelled.run, 'manifest.json');
    writeFileSync(manifest, readFileSync(manifest, 'utf8').replace('"seconds": 600', '"seconds": 1'));
    expect(await honeJson(folder, 'resume', cancelled.run)).toMatchObject({
      code: 0,
      json: { status: 'done', run: cancelled.run },
    });
  });
});
