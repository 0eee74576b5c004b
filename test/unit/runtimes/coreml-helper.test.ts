import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ArtifactSignature } from '../../../native-workers/artifacts/target.ts';
import type { HostTensor } from '../../../native-workers/lib/engine.ts';
import { openHelper } from '../../../native-workers/runtimes/coreml-helper.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

const signature: ArtifactSignature = {
  inputs: [{ source: 'ids in model', name: 'ids', dtype: 'int32', shape: [1, 3] }],
  outputs: [
    { source: 'y in model', name: 'y', dtype: 'float32', shape: [1, 3] },
    { source: 'absent', name: 'absent', dtype: 'float32', shape: [1] },
  ],
};
const ids: HostTensor = { dtype: 'int64', shape: [1, 3], data: BigInt64Array.of(1n, 2n, 3n) };

/** A stand-in for the Swift program, which needs a Mac: it speaks the same lines and halves what it is given. */
async function open(first: string, answer: string) {
  const program = join(temporaryFolder(), 'helper.mjs');
  writeFileSync(
    program,
    `import { readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
const say = (reply) => console.log(JSON.stringify(reply));
${first}
createInterface({ input: process.stdin }).on('line', (line) => {
  const request = JSON.parse(line);
  ${answer}
});`,
  );
  const lines: string[] = [];
  const session = await openHelper([process.execPath, program, 'net.mlpackage'], signature, (line) => lines.push(line));
  return { session, lines };
}

const READY = 'say({ outputs: [] });';

describe('openHelper', () => {
  it('gives tensors in the types of the package and takes what comes back under the names of the model', async () => {
    const { session, lines } = await open(
      `console.error('a line'); ${READY}`,
      `const [input] = request.inputs;
  const bytes = readFileSync(input.file);
  const values = new Int32Array(bytes.buffer, bytes.byteOffset, 3);
  const file = request.folder + '/output-0';
  writeFileSync(file, Float32Array.from(values, (value) => value / 2));
  say({ outputs: [{ name: 'y', dtype: 'float32', shape: input.shape, file }] });`,
    );
    for (let round = 0; round < 2; round++) {
      const results = await session.run({ 'ids in model': ids });
      expect(Object.keys(results)).toEqual(['y in model']);
      expect([...(results['y in model']?.data ?? [])]).toEqual([0.5, 1, 1.5]);
    }
    expect(lines).toEqual(['a line']);
    await expect(session.run({})).rejects.toMatchObject({ code: 'data-mismatch' });
    await session.release();
  });

  it('says what Core ML says of a package and of a run', async () => {
    await expect(open(`say({ outputs: [], error: 'no such operator' });`, '')).rejects.toMatchObject({
      code: 'runtime-rejected-model',
      message: expect.stringContaining('no such operator'),
    });
    const { session } = await open(READY, `say({ outputs: [], error: 'too large' });`);
    await expect(session.run({ 'ids in model': ids })).rejects.toMatchObject({ code: 'runtime-failed' });
    await session.release();
  });

  it('notices a program that ends, or that is not there', async () => {
    await expect(open('process.exit(1);', '')).rejects.toMatchObject({ code: 'worker-crashed' });
    const { session } = await open(READY, 'process.exit(1);');
    await expect(session.run({ 'ids in model': ids })).rejects.toMatchObject({ code: 'worker-crashed' });
    await session.release();
    await expect(openHelper([join(temporaryFolder(), 'gone')], signature, () => undefined)).rejects.toMatchObject({
      code: 'worker-crashed',
    });
  });
});
