import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeOnnx } from '../../../native-workers/formats/onnx/write.ts';
import { HoneError } from '../../../native-workers/protocol/errors.ts';
import type { LiveTarget } from '../../../native-workers/protocol/live.ts';
import { type PackageFacts, packageFactsSchema } from '../../../native-workers/protocol/package-facts.ts';
import type { JobContext } from '../../../native-workers/worker/job.ts';
import { makePackages, type PackagingRequest } from '../../../native-workers/worker/packaging.ts';
import { ModelBuilder, tinyClassifier, tinyQuantized } from '../../helpers/models.ts';
import { canMount, testDisk } from '../../helpers/mount.ts';
import { floats, longs, writeNpz } from '../../helpers/npz.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

const quiet: JobContext = { progress: async () => undefined, log: () => undefined };

async function classifier(name = 'my net.onnx', folder = temporaryFolder()): Promise<string> {
  const path = join(folder, name);
  await writeOnnx(tinyClassifier(), path);
  return path;
}

async function pack(
  model: string,
  changes: Partial<PackagingRequest> = {},
  context = quiet,
  keep?: (facts: PackageFacts) => Promise<void>,
) {
  const out = changes.out ?? join(temporaryFolder(), 'out');
  const request = { model, targets: ['ort'], out, coverageOnly: false, zip: false, options: {}, seed: 0, ...changes };
  return { out, facts: packageFactsSchema.parse(await makePackages(request, context, keep)) };
}

const digest = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

describe('makePackages', () => {
  it('makes a whole package: artifact, card, code, checksums that hold', async () => {
    const { out, facts } = await pack(await classifier());
    const [artifact] = facts.artifacts;
    expect(artifact).toMatchObject({
      status: 'made',
      path: join('ort', 'my_net.ort'),
      verified: { status: 'passed', samples: 3 },
    });
    expect(artifact?.loads?.[0]).toMatchObject({ where: 'ONNX Runtime', minimum: '1.16' });
    expect(artifact?.sha256).toBe(digest(join(out, artifact?.path ?? '')));
    const sums = readFileSync(join(out, 'ort', 'SHA256SUMS'), 'utf8')
      .trimEnd()
      .split('\n');
    const files = readdirSync(join(out, 'ort')).filter((file) => file !== 'SHA256SUMS');
    expect(sums.map((line) => line.slice(66))).toEqual(files.sort());
    for (const line of sums) expect(line.slice(0, 64)).toBe(digest(join(out, 'ort', line.slice(66))));
    expect(facts.sizes.every(({ fits }) => fits)).toBe(true);
    expect(readdirSync(out)).toEqual(['ort']);
  });

  it('checks models of a fixed batch on whole batches, and those of none on inputs of their own sizes', async () => {
    const batches = new ModelBuilder();
    batches.outputs(batches.op('Relu', [batches.input('x', [4, 6])], 'y'));
    const unlike = new ModelBuilder();
    unlike.outputs(unlike.op('Add', [unlike.input('x', [4, 6]), unlike.input('row', [1, 6])], 'y'));
    for (const build of [batches, unlike]) {
      const path = join(temporaryFolder(), 'model.onnx');
      await writeOnnx(build.model(), path);
      const { facts } = await pack(path);
      expect(facts.artifacts[0]?.verified).toMatchObject({ status: 'passed', samples: 3 });
    }
  });

  it('makes and checks files in both styles for both processors of a quantized model, and lists each', async () => {
    const model = join(temporaryFolder(), 'net.onnx');
    await writeOnnx(tinyQuantized(), model);
    const { out, facts } = await pack(model);
    const [{ files, verified, path, sha256 } = {}] = facts.artifacts;
    const names = ['net.ort', 'net.with_runtime_opt.ort', 'net.amd64.ort', 'net.amd64.with_runtime_opt.ort'];
    expect(files?.map((file) => file.path)).toEqual(
      [...names, 'required_operators.config', 'required_operators_and_types.config'].map((file) => join('ort', file)),
    );
    for (const file of files ?? []) expect(file.sha256).toBe(digest(join(out, file.path)));
    expect([path, sha256]).toEqual([files?.[0]?.path, files?.[0]?.sha256]);
    expect(verified?.status).toBe('passed');
    const checks = [verified, ...(verified?.variants ?? [])];
    expect(checks.map((check) => [check?.file, check?.status, check?.samples, check?.others?.[0]?.status])).toEqual(
      names.map((file) => [file, 'passed', 3, 'passed']),
    );
    expect(readFileSync(join(out, 'ort', 'MODEL_CARD.md'), 'utf8')).toContain('net.amd64.with\\_runtime\\_opt.ort on');
  });

  it('names the node of a model that ONNX Runtime refuses, and makes nothing of it', async () => {
    const build = new ModelBuilder();
    const path = join(temporaryFolder(), 'wrong.onnx');
    await writeOnnx(build.outputs(build.op('Sigmoid', [build.input('bits', [2], 'bool')], 'z')).model(), path);
    const { out, facts } = await pack(path);
    expect(facts.artifacts).toMatchObject([
      {
        status: 'unsupported',
        coverage: { nodes: 1, supported: 0, unsupported: [{ node: 'z_node', type: 'Sigmoid' }] },
      },
    ]);
    expect(readdirSync(out)).toEqual([]);
  });

  it('takes licence, labels and preprocessing from beside the model, and labels of another number not', async () => {
    const folder = temporaryFolder();
    const model = await classifier('net.onnx', folder);
    writeFileSync(join(folder, 'LICENSE.txt'), 'Do what you want.');
    writeFileSync(join(folder, 'labels.txt'), 'a\nb\nc\nd\n');
    writeFileSync(join(folder, 'preprocess.json'), '{"scale":0.5}');
    const { out } = await pack(model);
    const text = (file: string): string => readFileSync(join(out, 'ort', file), 'utf8');
    expect(text('LICENSE.txt')).toBe('Do what you want.');
    expect(text('labels.txt')).toBe('a\nb\nc\nd\n');
    // What the file leaves out follows from the model.
    expect(JSON.parse(text('preprocess.json'))).toMatchObject({
      scale: 0.5,
      size: [8, 8],
      layout: 'nchw',
      mean: [0, 0, 0],
    });
    expect(text('MODEL_CARD.md')).toContain('LICENSE.txt');
    expect(text('Example.swift')).toContain('let labels: [String] = [\n    "a",\n    "b",');
    expect(text('Example.kt')).toContain('values[pixel] = (red * 0.5f - 0f) / 1f');
    writeFileSync(join(folder, 'labels.txt'), 'a\nb\n');
    const again = await pack(model, { out });
    expect(existsSync(join(out, 'ort', 'labels.txt'))).toBe(false);
    expect(again.facts.artifacts[0]?.notes.join()).toContain('names 2 classes');
  });

  it('measures the metric of labelled data through the artifact itself', async () => {
    const path = join(temporaryFolder(), 'data.npz');
    const values = Array.from({ length: 12 * 192 }, (_, index) => Math.sin(index * 0.37) * 2);
    const labels = Array.from({ length: 12 }, (_, index) => index % 4);
    await writeNpz(path, { image: floats([12, 3, 8, 8], values), labels: longs([12], labels) });
    const { facts } = await pack(await classifier(), { data: path, samples: 12, targets: ['ort', 'tflite'] });
    for (const { verified } of facts.artifacts) {
      expect(verified).toMatchObject({ status: 'passed', samples: 11 });
      const [metric] = verified?.metrics ?? [];
      expect(metric).toMatchObject({ samples: 12, better: 'higher' });
      expect(metric?.after).toBe(metric?.before);
    }
  });

  it('packs several models together, each in its folder, with one list of operators for all', async () => {
    const build = new ModelBuilder();
    const other = join(temporaryFolder(), 'My Net.onnx');
    await writeOnnx(build.outputs(build.op('Sigmoid', [build.input('x', [2])], 'y')).model(), other);
    const { out, facts } = await pack(await classifier(), {
      with: [other, await classifier('My Net.onnx')],
      zip: true,
    });
    expect(facts.artifacts.map(({ model, path }) => [model, path])).toEqual([
      ['my net.onnx', join('ort', 'my_net.ort')],
      ['My Net.onnx', join('ort', 'My_Net-model', 'My_Net.ort')],
      ['My Net.onnx', join('ort', 'My_Net-model_2', 'My_Net.ort')],
    ]);
    for (const { path } of facts.artifacts) {
      const list = readFileSync(join(out, path, '..', 'required_operators.config'), 'utf8');
      expect(list).toContain('Gemm');
      expect(list).toContain('Sigmoid');
    }
    expect(facts.zips).toEqual([
      {
        target: 'ort',
        path: 'ort.zip',
        bytes: readFileSync(join(out, 'ort.zip')).length,
        sha256: digest(join(out, 'ort.zip')),
      },
    ]);
  });

  it.skipIf(process.platform === 'win32')('takes a hostile name as text, and none of it as a path', async () => {
    const folder = temporaryFolder();
    const model = await classifier(`a"b$c\n\u202e;rm -rf ~\`.${'n'.repeat(180)}.onnx`, folder);
    writeFileSync(join(folder, 'labels.txt'), 'a\u202e\n"b"\n$c\n../d\n');
    const { out, facts } = await pack(model, { targets: ['ort', 'tflite', 'coreml'], zip: true });
    expect(facts.artifacts.map(({ status, verified }) => [status, verified?.status])).toEqual([
      ['made', 'passed'],
      ['made', 'passed'],
      ['made', 'passed'],
    ]);
    for (const { target, path } of facts.artifacts) {
      expect(path).toMatch(/^\w+[\\/][\w.-]{1,160}$/);
      const sums = readFileSync(join(out, target, 'SHA256SUMS'), 'utf8')
        .trimEnd()
        .split('\n');
      for (const line of sums) expect(line.slice(0, 64)).toBe(digest(join(out, target, line.slice(66))));
      for (const file of ['MODEL_CARD.md', 'Example.swift'])
        expect(readFileSync(join(out, target, file), 'utf8')).not.toContain('\u202e');
    }
  });

  it('keeps what other targets made when one fails, with the reason', async () => {
    const { out, facts } = await pack(await classifier(), {
      targets: ['ort', 'tflite'],
      options: { ort: { style: 'no' } },
    });
    expect(facts.artifacts.map(({ target, status }) => [target, status])).toEqual([
      ['ort', 'failed'],
      ['tflite', 'made'],
    ]);
    expect(facts.artifacts[0]?.error).toMatchObject({ code: 'invalid-options' });
    expect(readdirSync(out)).toEqual(['tflite']);
  });

  it.skipIf(!canMount)('makes a row of a target for which the disk has no room, and the others', async () => {
    const build = new ModelBuilder();
    const large = join(temporaryFolder(), 'large.onnx');
    const y = build.op('MatMul', [build.input('x', [1, 256]), build.weight('w', [256, 1024])], 'y');
    await writeOnnx(build.outputs(y).model(), large);
    const { folder } = testDisk(1200);
    const out = join(folder, 'out');
    // 1 MB of weights, and half of it in float16.
    const { facts } = await pack(large, {
      out,
      targets: ['tflite', 'ort'],
      options: { tflite: { precision: 'float16' } },
    });
    expect(facts.artifacts.map(({ target, status, error }) => [target, status, error?.code])).toEqual([
      ['tflite', 'made', undefined],
      ['ort', 'failed', 'disk-full'],
    ]);
    expect(facts.artifacts[1]?.error?.message).toContain(out);
    expect(readdirSync(out)).toEqual(['tflite']);
  });

  it('replaces a package and nothing else', async () => {
    const out = join(temporaryFolder(), 'out');
    const model = await classifier();
    await pack(model, { out });
    writeFileSync(join(out, 'ort', 'old.txt'), 'old');
    await pack(model, { out });
    expect(existsSync(join(out, 'ort', 'old.txt'))).toBe(false);
    const mine = join(temporaryFolder(), 'mine');
    mkdirSync(join(mine, 'ort'), { recursive: true });
    writeFileSync(join(mine, 'ort', 'thesis.txt'), 'mine');
    await expect(pack(model, { out: mine })).rejects.toMatchObject({ code: 'invalid-options' });
    expect(readdirSync(join(mine, 'ort'))).toEqual(['thesis.txt']);
  });

  it('leaves the old package whole when it is cancelled, and makes no later target', async () => {
    const out = join(temporaryFolder(), 'out');
    const model = await classifier();
    await pack(model, { out });
    const before = readdirSync(join(out, 'ort'));
    const context: JobContext = {
      ...quiet,
      progress: async ({ phase }) => {
        if (phase.endsWith('checking')) throw new HoneError('cancelled', 'stop');
      },
    };
    await expect(pack(model, { out, targets: ['ort', 'tflite'] }, context)).rejects.toMatchObject({
      code: 'cancelled',
    });
    expect(readdirSync(out)).toEqual(['ort']);
    expect(readdirSync(join(out, 'ort'))).toEqual(before);
  });

  it('tells the facts after each artifact, with what is still to be made as cancelled', async () => {
    const kept: PackageFacts[] = [];
    const context: JobContext = {
      ...quiet,
      progress: async ({ phase }) => {
        if (phase.startsWith('TensorFlow Lite: checking')) throw new HoneError('cancelled', 'stop');
      },
    };
    const keep = async (facts: PackageFacts): Promise<void> => void kept.push(packageFactsSchema.parse(facts));
    const packing = pack(await classifier(), { targets: ['ort', 'tflite', 'coreml'] }, context, keep);
    await expect(packing).rejects.toMatchObject({ code: 'cancelled' });
    expect(kept.map(({ artifacts }) => artifacts.map(({ target, status }) => `${target} ${status}`).join())).toEqual([
      'ort cancelled,tflite cancelled,coreml cancelled',
      'ort made,tflite cancelled,coreml cancelled',
    ]);
    expect(kept[1]?.artifacts[0]?.verified?.status).toBe('passed');
  });

  it('shows how far each target is, with what was measured, in a table that every progress carries', async () => {
    const tables: (LiveTarget & { readonly phase: string })[][] = [];
    const context: JobContext = {
      ...quiet,
      progress: async ({ phase, live }) => {
        if (live?.kind === 'targets') tables.push(live.targets.map((target) => ({ ...target, phase })));
      },
    };
    const { facts } = await pack(await classifier(), { targets: ['ort', 'tflite'] }, context);
    const steps = (at: number): string[] => [...new Set(tables.map((rows) => rows[at]?.step ?? ''))];
    expect(steps(0)).toEqual(['coverage', 'writing', 'checking', 'done']);
    expect(steps(1)).toEqual(['waiting', 'coverage', 'writing', 'checking', 'done']);
    const samples = tables.flatMap(
      (rows) => rows[1]?.checks.map(({ status, samples: done }) => `${status} ${done}`) ?? [],
    );
    expect([...new Set(samples)]).toEqual(['running 0', 'running 1', 'running 2', 'running 3', 'passed 3']);
    const [ort, tflite] = tables.at(-1) ?? [];
    expect(ort).toMatchObject({
      bytes: facts.artifacts[0]?.bytes,
      coverage: { nodes: facts.artifacts[0]?.coverage.nodes },
    });
    expect(tflite?.checks[0]).toMatchObject({ maxAbs: facts.artifacts[1]?.verified?.maxAbs, status: 'passed' });
  });

  it('makes the same zip of the same model at any time and place', async () => {
    const model = await classifier();
    const zone = process.env['TZ'];
    const first = await pack(model, { zip: true });
    process.env['TZ'] = 'Asia/Tokyo';
    try {
      const { zipFolder } = await import('../../../native-workers/worker/zip-folder.ts');
      const copy = join(temporaryFolder(), 'copy');
      mkdirSync(copy);
      for (const file of readdirSync(join(first.out, 'ort')).reverse())
        copyFileSync(join(first.out, 'ort', file), join(copy, file));
      await zipFolder(copy, `${copy}.zip`);
      expect(digest(`${copy}.zip`)).toBe(digest(join(first.out, 'ort.zip')));
    } finally {
      if (zone === undefined) delete process.env['TZ'];
      else process.env['TZ'] = zone;
    }
  });

  it('writes nothing for coverage alone', async () => {
    const { out, facts } = await pack(await classifier(), { coverageOnly: true, targets: ['ort', 'tflite'] });
    expect(facts.artifacts.map(({ status, path }) => [status, path])).toEqual([
      ['made', ''],
      ['made', ''],
    ]);
    expect(existsSync(out)).toBe(false);
  });

  it("says what does not fit, the user's own budget included", async () => {
    const warnings: string[] = [];
    const context: JobContext = {
      ...quiet,
      log: (level, message) => void (level === 'warning' && warnings.push(message)),
    };
    const { facts } = await pack(await classifier(), { budget: 10 }, context);
    expect(warnings).toEqual([
      expect.stringMatching(/^ONNX Runtime Mobile: [\d.]+ kB is more than the 10 B of your budget\.$/),
    ]);
    expect(facts.sizes.map(({ profile, fits }) => [profile, fits])).toEqual([
      ['Phone app', true],
      ['Board or kiosk', true],
      ['your budget', false],
    ]);
  });

  it('refuses unknown and repeated targets, models listed twice, and folders that cannot be', async () => {
    const model = await classifier();
    await expect(pack(model, { targets: ['onnx'] })).rejects.toMatchObject({ code: 'invalid-options' });
    await expect(pack(model, { targets: ['ort', 'ort'] })).rejects.toThrow(/listed twice/);
    await expect(pack(model, { with: [model] })).rejects.toThrow(/listed twice/);
    await expect(pack(model, { out: join(model, 'inside') })).rejects.toThrow(/a file is in the way/);
    await expect(pack(model, { out: model })).rejects.toThrow(/a file is in the way/);
    await expect(pack(`${model}.gone`)).rejects.toMatchObject({ code: 'file-missing' });
  });

  it.skipIf(process.platform === 'win32' || process.getuid?.() === 0)('says when it may not write', async () => {
    const locked = temporaryFolder();
    chmodSync(locked, 0o500);
    await expect(pack(await classifier(), { out: join(locked, 'out') })).rejects.toMatchObject({
      code: 'no-permission',
    });
    chmodSync(locked, 0o700);
  });
});
