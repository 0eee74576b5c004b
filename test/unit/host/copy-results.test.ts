import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { copyResults } from '../../../native-workers/host/copy-results.ts';
import type { ModelFile } from '../../../native-workers/protocol/facts.ts';
import { temporaryFolder } from '../../helpers/temp.ts';
import { testManifest } from '../../helpers/test-manifest.ts';

function model(path: string, parent: string | null = 'source'): ModelFile {
  return { id: path, path, bytes: 1, sha256: '', parent, label: path };
}

function folderWith(...files: string[]): string {
  const folder = temporaryFolder();
  for (const file of files) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), file);
  }
  return folder;
}

describe('copyResults', () => {
  it('copies models with their weights, packages that are folders, and documents', async () => {
    const folder = folderWith(
      ...['manifest.json', '02-optimize.json', 'report.json', 'report.html', 'recipe.json', 'log.txt'],
      ...['models/a.onnx', 'models/a.onnx.data', 'models/b.onnx', 'packages/a.mlpackage/Data/weights.bin'],
      ...['package/ort/a.ort', 'package/coreml/a.mlpackage/Manifest.json'],
    );
    const manifest = testManifest({
      models: [model('/elsewhere/source.onnx', null), model('models/a.onnx'), model('packages/a.mlpackage')],
    });
    const out = join(temporaryFolder(), 'new', 'place');
    for (const _ of ['once', 'again over it']) {
      await copyResults(folder, manifest, out);
      const copied = readdirSync(out, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
      expect(copied.map((entry) => join(entry.parentPath, entry.name).slice(out.length + 1)).sort()).toEqual([
        ...['models/a.onnx', 'models/a.onnx.data', 'package/coreml/a.mlpackage/Manifest.json', 'package/ort/a.ort'],
        ...['packages/a.mlpackage/Data/weights.bin'],
        ...['recipe.json', 'report.html', 'report.json'],
      ]);
    }
    expect(readFileSync(join(out, 'models', 'a.onnx.data'), 'utf8')).toBe('models/a.onnx.data');
  });

  it('does not follow a model out of the run folder', async () => {
    const manifest = testManifest({ models: [model('../secret.onnx')] });
    await expect(copyResults(folderWith('report.json'), manifest, temporaryFolder())).rejects.toMatchObject({
      code: 'run-corrupt',
    });
  });

  it('has nothing to do when the results are to be where they are', async () => {
    const folder = folderWith('a.onnx');
    await copyResults(folder, testManifest({ models: [model('a.onnx')] }), folder);
    expect(readdirSync(folder)).toEqual(['a.onnx']);
  });
});
