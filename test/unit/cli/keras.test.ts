/** A Keras model through the commands that take a model: read, timed, packed. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { InspectFacts } from '../../../native-workers/protocol/facts.ts';
import { packageFactsSchema } from '../../../native-workers/protocol/package-facts.ts';
import { hone, honeJson } from '../../helpers/run-hone.ts';
import { hasShared, SHARED } from '../../helpers/shared.ts';
import { ROOT } from '../../helpers/sources.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

const GOLDEN = join(ROOT, 'test/golden/keras');
const MODELS = [
  { name: 'nested-3.h5', path: join(GOLDEN, 'nested-3.h5'), nodes: 22 },
  { name: 'nested-3.keras', path: join(GOLDEN, 'nested-3.keras'), nodes: 22 },
  ...(hasShared ? [{ name: 'pretrainedResnet.h5', path: join(SHARED, 'real/pretrainedResnet.h5'), nodes: 31 }] : []),
];

describe.each(MODELS)('the Keras model $name', { timeout: 120_000 }, ({ path, name, nodes }) => {
  it('is inspected', async () => {
    const { code, json } = await honeJson(temporaryFolder(), 'inspect', path);
    expect(code).toBe(0);
    expect(json as InspectFacts).toMatchObject({ format: 'keras', nodes, quantized: false });
  });

  it('is benchmarked under its own name', async () => {
    const { code, json } = await honeJson(temporaryFolder(), 'bench', path, '--seconds', '0.2');
    expect(code).toBe(0);
    const { variants } = json as { variants: { model: string; stats: { count: number } }[] };
    expect(variants).toHaveLength(1);
    expect(variants[0]?.model).toContain(name);
    expect(variants[0]?.stats.count).toBeGreaterThan(0);
  });

  it('is packed for every target, and each passes its check', async () => {
    const out = join(temporaryFolder(), 'out');
    const { code, json } = await honeJson(
      temporaryFolder(),
      'pack',
      path,
      '--target',
      'ort,tflite,coreml',
      '--out',
      out,
    );
    const { artifacts } = packageFactsSchema.parse(json);
    expect(artifacts.map(({ target, status, verified }) => [target, status, verified?.status])).toEqual(
      ['ort', 'tflite', 'coreml'].map((target) => [target, 'made', 'passed']),
    );
    // Named after the model, and not after the ONNX file that it became on the way.
    const base = name.replace(/\.[^.]+$/, '').replaceAll('.', '_');
    expect(artifacts.map((artifact) => artifact.path)).toEqual([
      join('ort', `${base}.ort`),
      join('tflite', `${base}.tflite`),
      join('coreml', `${base}.mlpackage`),
    ]);
    expect(code).toBe(0);
  });
});

it('that holds weights alone is refused with what to do', async () => {
  const { code, err } = await hone(temporaryFolder(), 'bench', join(GOLDEN, 'refused/only.weights.h5'));
  expect(code).toBe(3);
  expect(err).toMatch(/weights/);
});
