import { mkdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  createRunFolder,
  defaultLibrary,
  deleteRunFolder,
  findRun,
  newRunId,
  readManifest,
  runIds,
  stageFile,
  writeManifest,
} from '../../../native-workers/host/run-store.ts';
import { STAGES } from '../../../native-workers/protocol/facts.ts';
import { temporaryFolder } from '../../helpers/temp.ts';
import { testManifest } from '../../helpers/test-manifest.ts';

async function addRun(library: string, id: string): Promise<string> {
  const folder = await createRunFolder(library, id);
  await writeManifest(folder, testManifest({ id }));
  return folder;
}

describe('defaultLibrary', () => {
  it('is what HONE_LIBRARY says, else where the platform keeps data', () => {
    expect(defaultLibrary({ HONE_LIBRARY: 'some/where' })).toBe(resolve('some/where'));
    if (process.platform === 'linux') {
      expect(defaultLibrary({})).toBe(join(homedir(), '.local', 'share', 'hone'));
      expect(defaultLibrary({ XDG_DATA_HOME: '/data', HONE_LIBRARY: '' })).toBe('/data/hone');
    }
  });
});

describe('newRunId', () => {
  it('sorts by time and names the model', () => {
    const id = (model: string, time: string): string => newRunId(model, new Date(time));
    expect(id('/models/MobileNet_V2 (1).onnx', '2026-03-14T09:26:53.589Z')).toMatch(
      /^20260314-092653-[2-9a-z]{4}-mobilenet-v2-1$/,
    );
    expect(id('a.onnx', '2026-03-14T09:26:53Z') < id('a.onnx', '2026-03-14T09:26:54Z')).toBe(true);
    expect(id('模型.onnx', '2026-03-14T09:26:53Z')).toMatch(/-model$/);
    expect(id(`${'x'.repeat(300)}.onnx`, '2026-03-14T09:26:53Z').length).toBeLessThan(70);
  });
});

it('stage files are numbered by the order of stages', () => {
  expect(STAGES.map(stageFile)).toEqual([
    ...[
      '01-inspect.json',
      '02-optimize.json',
      '03-evaluate.json',
      '04-benchmark.json',
      '05-package.json',
      'report.json',
    ],
  ]);
});

describe('manifests', () => {
  it('are read as they were written', async () => {
    const folder = temporaryFolder();
    const manifest = testManifest({ status: 'done' });
    await writeManifest(folder, manifest);
    expect(await readManifest(folder)).toEqual(manifest);
  });

  it('of a run without a living process are interrupted', async () => {
    const folder = temporaryFolder();
    const manifest = testManifest({ status: 'running' });
    const [first, ...rest] = manifest.stages;
    if (first === undefined) throw new Error('a run has stages');
    await writeManifest(folder, { ...manifest, stages: [{ ...first, status: 'running' }, ...rest] });
    const read = await readManifest(folder);
    expect(read.status).toBe('interrupted');
    expect(read.stages[0]).toMatchObject({ status: 'pending', reason: expect.stringMatching(/ended/) });
  });

  it.each([
    ['{"schema": 1', 'run-corrupt'],
    ['[]', 'run-corrupt'],
    ['{"schema": 1}', 'run-corrupt'],
    ['{"schema": 2, "new": true}', 'report-version'],
  ])('%s is %s', async (text, code) => {
    const folder = temporaryFolder();
    const file = join(folder, 'manifest.json');
    writeFileSync(file, text);
    await expect(readManifest(folder)).rejects.toMatchObject({ code, where: { file } });
  });

  it('that are not there are unknown runs', async () => {
    await expect(readManifest(temporaryFolder())).rejects.toMatchObject({ code: 'unknown-run' });
  });
});

describe('finding runs', () => {
  it('by id, its beginning, latest, or path', async () => {
    const library = temporaryFolder();
    const first = await addRun(library, '20260101-000000-aaaa-x');
    const second = await addRun(library, '20260102-000000-aaaa-x');
    mkdirSync(join(library, 'runs', '20260103-000000-aaaa-begins'));
    mkdirSync(join(library, 'runs', '.deleted-20260104-000000-aaaa-x'));
    expect(await runIds(library)).toEqual(['20260102-000000-aaaa-x', '20260101-000000-aaaa-x']);
    expect(await findRun(library, '20260101-000000-aaaa-x')).toBe(first);
    expect(await findRun(library, '20260102')).toBe(second);
    expect(await findRun(library, 'latest')).toBe(second);
    expect(await findRun(temporaryFolder(), first)).toBe(first);
    for (const name of ['2026010', '', 'none', join(library, 'none'), '..']) {
      await expect(findRun(library, name)).rejects.toMatchObject({ code: 'unknown-run' });
    }
    await expect(findRun(temporaryFolder(), 'latest')).rejects.toMatchObject({ code: 'unknown-run' });
  });
});

describe('deleting runs', () => {
  it('deletes the folder of a run, and nothing that is none', async () => {
    const library = temporaryFolder();
    await addRun(library, '20260101-000000-aaaa-x');
    for (const id of ['..', '../..', 'none', '']) {
      await expect(deleteRunFolder(library, id)).rejects.toMatchObject({ code: 'unknown-run' });
    }
    await deleteRunFolder(library, '20260101-000000-aaaa-x');
    expect(await runIds(library)).toEqual([]);
  });
});
