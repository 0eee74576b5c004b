import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeOnnx } from '../../../native-workers/formats/onnx/write.ts';
import { type Artifact, packageFactsSchema } from '../../../native-workers/protocol/package-facts.ts';
import { tinyClassifier } from '../../helpers/models.ts';
import { hone, honeJson } from '../../helpers/run-hone.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

interface Document {
  readonly folder: string;
  readonly artifacts?: readonly Artifact[];
  readonly stages: readonly { readonly name: string; readonly status: string }[];
}

async function model(): Promise<string> {
  const path = join(temporaryFolder(), 'net.onnx');
  await writeOnnx(tinyClassifier(), path);
  return path;
}

describe('the package stage of a run', { timeout: 120_000 }, () => {
  it('packages the optimised model for each target, and the document has the artifacts', async () => {
    const library = temporaryFolder();
    const out = join(temporaryFolder(), 'results');
    const args = ['optimize', await model(), '--preset', 'clean', '--seconds', '0.2', '--target', 'ort,tflite'];
    const options = ['--set', 'ort.style=runtime', '--set', 'tflite.precision=float16', '--out', out];
    const { code, json } = await honeJson(library, ...args, ...options);
    const { folder, artifacts, stages } = json as Document;
    expect(code).toBe(0);
    expect(stages.find(({ name }) => name === 'package')).toMatchObject({ status: 'done' });
    expect(artifacts?.map(({ target, status, verified }) => [target, status, verified?.status])).toEqual([
      ['ort', 'made', 'passed'],
      ['tflite', 'made', 'passed'],
    ]);
    expect(artifacts?.[0]?.path).toMatch(/\.with_runtime_opt\.ort$/);
    for (const { path } of artifacts ?? []) {
      expect(existsSync(join(folder, 'package', path))).toBe(true);
      // The results are taken along whole, with what lets anyone check them.
      expect(readFileSync(join(out, 'package', path))).toEqual(readFileSync(join(folder, 'package', path)));
      expect(existsSync(join(out, 'package', dirname(path), 'SHA256SUMS'))).toBe(true);
    }
    const log = readFileSync(join(folder, 'log.txt'), 'utf8');
    for (const title of ['ONNX Runtime Mobile', 'TensorFlow Lite'])
      expect(log).toMatch(new RegExp(`${title}: passed on`));
    const facts = packageFactsSchema.parse(JSON.parse(readFileSync(join(folder, '05-package.json'), 'utf8')));
    expect(facts.artifacts).toEqual(artifacts);
  });

  it('refuses a target that does not exist before anything runs', async () => {
    const library = temporaryFolder();
    const { code, err } = await hone(library, 'optimize', await model(), '--preset', 'clean', '--target', 'onnx');
    expect(code).toBe(3);
    expect(err).toContain('There is no target onnx');
    expect(existsSync(join(library, 'runs'))).toBe(false);
  });
});
