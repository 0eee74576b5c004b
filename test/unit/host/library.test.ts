import { readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Library } from '../../../native-workers/host/library.ts';
import { createRunFolder, writeManifest } from '../../../native-workers/host/run-store.ts';
import type { Manifest } from '../../../native-workers/protocol/facts.ts';
import { temporaryFolder } from '../../helpers/temp.ts';
import { testManifest } from '../../helpers/test-manifest.ts';

function openLibrary(folder = temporaryFolder()): Library {
  const library = new Library(folder);
  onTestFinished(() => library.close());
  return library;
}

async function addRun(library: Library, changes: Partial<Manifest> & { id: string }): Promise<string> {
  const folder = await createRunFolder(library.folder, changes.id);
  await writeManifest(folder, testManifest(changes));
  return folder;
}

const ids = async (library: Library, search = ''): Promise<string[]> =>
  (await library.list(search)).map(({ id }) => id);

describe('library', () => {
  it('is empty before the first run, wherever it is', async () => {
    expect(await openLibrary(join(temporaryFolder(), 'not', 'yet')).list()).toEqual([]);
  });

  it('lists the newest first, and takes in what changed', async () => {
    const library = openLibrary();
    await addRun(library, { id: '20260101-000000-aaaa-x' });
    const folder = await addRun(library, { id: '20260102-000000-bbbb-x' });
    expect(await ids(library)).toEqual(['20260102-000000-bbbb-x', '20260101-000000-aaaa-x']);
    await writeManifest(folder, testManifest({ id: '20260102-000000-bbbb-x', status: 'failed' }));
    expect((await library.list())[0]?.status).toBe('failed');
  });

  it('takes its numbers from the report', async () => {
    const library = openLibrary();
    const folder = await addRun(library, { id: '20260101-000000-aaaa-x' });
    expect(await library.list()).toMatchObject([{ sizeBefore: 100, sizeAfter: null, verdict: null, metric: null }]);
    const measured = (value: number): object => ({ status: 'measured', value });
    const report = {
      verdict: { speed: 'faster', sentence: 'It is faster.' },
      table: [
        { id: 'size', before: measured(100), after: measured(25) },
        { id: 'latency-p50', before: measured(8), after: measured(4) },
        { id: 'metric-top1', before: measured(0.9), after: measured(0.89) },
        { id: 'metric-top5', before: measured(1), after: { status: 'failed', reason: 'x' } },
      ],
    };
    writeFileSync(join(folder, 'report.json'), JSON.stringify(report));
    expect(await library.list()).toMatchObject([
      {
        ...{ sizeBefore: 100, sizeAfter: 25, msBefore: 8, msAfter: 4, verdict: 'faster' },
        metric: { name: 'top1', before: 0.9, after: 0.89 },
      },
    ]);
    writeFileSync(join(folder, 'report.json'), '{"table": 7}');
    expect(await library.list()).toMatchObject([{ sizeAfter: null, verdict: null }]);
  });

  it('finds every word, and takes no sign for more than itself', async () => {
    const library = openLibrary();
    const named = (name: string): Manifest['source'] => ({ ...testManifest().source, name });
    await addRun(library, {
      id: '20260101-000000-aaaa-x',
      title: 'MobileNet, 100% INT8',
      source: named('mobilenet.onnx'),
    });
    await addRun(library, { id: '20260102-000000-bbbb-x', title: 'ResNet_50, float16', source: named('resnet.onnx') });
    expect(await ids(library, 'int8')).toEqual(['20260101-000000-aaaa-x']);
    expect(await ids(library, '  FLOAT16   resnet ')).toEqual(['20260102-000000-bbbb-x']);
    expect(await ids(library, 'float16 mobilenet')).toEqual([]);
    expect(await ids(library, '%')).toEqual(['20260101-000000-aaaa-x']);
    expect(await ids(library, '_')).toEqual(['20260102-000000-bbbb-x']);
    expect(await ids(library, '!')).toEqual([]);
    expect(await ids(library, "'; DROP TABLE runs")).toEqual([]);
    expect(await ids(library)).toHaveLength(2);
  });

  it('makes an index of an older version anew, and leaves one of a newer version alone', async () => {
    for (const version of [0, 99]) {
      const library = openLibrary();
      await addRun(library, { id: '20260101-000000-aaaa-x' });
      const index = new DatabaseSync(join(library.folder, 'library.db'));
      index.exec(`CREATE TABLE runs (other TEXT); PRAGMA user_version = ${version}`);
      index.close();
      expect(await ids(library)).toEqual(['20260101-000000-aaaa-x']);
      library.close();
      const after = new DatabaseSync(join(library.folder, 'library.db'));
      expect(after.prepare('PRAGMA user_version').get()).toEqual({ user_version: version === 99 ? 99 : 1 });
      after.close();
    }
  });

  it('does not read again what has not changed', async () => {
    const library = openLibrary();
    const folder = await addRun(library, { id: '20260101-000000-aaaa-x', title: 'old' });
    const file = join(folder, 'manifest.json');
    const time = new Date('2026-01-01T00:00:00Z');
    utimesSync(file, time, time);
    expect(await ids(library, 'old')).toHaveLength(1);
    // The same file with the same time and size: only reading would tell.
    writeFileSync(file, readFileSync(file, 'utf8').replace('"old"', '"new"'));
    utimesSync(file, time, time);
    expect(await ids(library, 'old')).toHaveLength(1);
    writeFileSync(file, readFileSync(file, 'utf8'));
    expect(await ids(library, 'new')).toHaveLength(1);
  });
});
