import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { writeOnnx } from '../../../native-workers/formats/onnx/write.ts';
import { inspectFactsSchema } from '../../../native-workers/protocol/facts.ts';
import { stageInspect } from '../../../native-workers/worker/stage-inspect.ts';
import { ModelBuilder } from '../../helpers/models.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

it('the inspect stage hashes the model with its weights file and writes its facts into the run', async () => {
  const folder = temporaryFolder();
  const build = new ModelBuilder();
  const product = build.op('MatMul', [build.input('x', [1, 64]), build.weight('large', [64, 32])], 'product');
  const path = join(folder, 'model.onnx');
  const { files, bytes } = await writeOnnx(build.outputs(product).model(), path, { external: 'always' });

  const request = {
    model: path,
    recipe: { schema: 1 as const, name: 'none', steps: [] },
    seed: 1,
    benchmark: {},
    budgets: {},
  };
  const result = await stageInspect(
    { run: folder, file: join(folder, '01-inspect.json'), request },
    { progress: async () => undefined, log: () => undefined },
  );
  const hash = createHash('sha256');
  for (const file of files) hash.update(readFileSync(file));
  expect(result.models).toEqual([
    { id: 'source', path, bytes, sha256: hash.digest('hex'), parent: null, label: 'Original' },
  ]);
  const facts = inspectFactsSchema.parse(JSON.parse(readFileSync(join(folder, '01-inspect.json'), 'utf8')));
  expect([facts.macs, facts.externalData, facts.bytes.total]).toEqual([64 * 32, true, bytes]);
});
