import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { attachTypes, inferTypes } from '../../../native-workers/formats/onnx/infer-types.ts';
import { onnxBytes } from '../../../native-workers/formats/onnx/write.ts';
import { openModel } from '../../../native-workers/formats/registry.ts';
import { hashModel } from '../../../native-workers/graph/hash.ts';
import { toHoneError } from '../../../native-workers/protocol/errors.ts';
import { openEngine } from '../../../native-workers/runtimes/onnxruntime.ts';
import { inspect, inspectModel } from '../../../native-workers/worker/inspect.ts';
import { conformanceFolder } from '../../helpers/conformance.ts';
import { ModelBuilder, tinyClassifier } from '../../helpers/models.ts';
import { hasShared, SHARED } from '../../helpers/shared.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

const context = { progress: async () => undefined, log: () => undefined };

describe('the inspect job', () => {
  it('counts multiply-accumulates through the shapes that the engine infers', async () => {
    const path = join(temporaryFolder(), 'model.onnx');
    writeFileSync(path, onnxBytes(tinyClassifier()));
    const facts = await inspect({ model: path }, context);
    expect(facts.macs).toBe(4 * 8 * 8 * 27 + 4 * 4);
    expect(facts.notes.map(({ code }) => code)).not.toContain('macs-unknown');
  });

  it('says why it has none when the engine refuses the model', async () => {
    const build = new ModelBuilder();
    const odd = build.op('Teleport', [build.input('x', [2, 3])], 'odd', {}, 'my.own');
    const model = build.outputs(build.op('MatMul', [odd, build.weight('w', [3, 4])], 'y')).model();
    const facts = await inspectModel(model);
    expect(facts.macs).toBeNull();
    expect(facts.notes.map(({ code }) => code)).toEqual(expect.arrayContaining(['macs-unknown', 'unknown-domain']));
  });

  it('passes on what is wrong with a file', async () => {
    const path = join(temporaryFolder(), 'model.onnx');
    writeFileSync(path, onnxBytes(tinyClassifier()).subarray(0, 300));
    const error = await inspect({ model: path }, context).catch(toHoneError);
    expect(error).toMatchObject({ code: 'file-truncated', where: { file: path } });
  });

  /** Weights that multiply, each by how often: counted by hand from the architectures in shared/models/README.md. */
  const known: [string, number, number][] = [
    // 6 layers of d=256, m=768, 2 of 8 heads for keys and values, and the head of 1024; one token attends to itself.
    [
      'models/tiny-llama/model.onnx',
      6 * (2 * 256 * 256 + 2 * 256 * 64 + 3 * 256 * 768 + 2 * 256) + 256 * 1024,
      5_049_600,
    ],
    // 4 layers of d=192, feed-forward 768; pooler and 20 classes.
    ['models/langid-bert/model.onnx', 4 * (4 * 192 * 192 + 2 * 192 * 768 + 2 * 192) + 192 * 192 + 192 * 20, 2_238_932],
  ];
  it.skipIf(!hasShared).each(known)('counts %s', async (name, macs, parameters) => {
    const facts = await inspectModel(await openModel(join(SHARED, name)));
    expect(facts.macs).toBe(macs);
    // Exporters add and drop a few constants.
    expect(Math.abs(facts.parameters / parameters - 1)).toBeLessThan(0.001);
  });
});

describe.skipIf(!hasShared)('networks whose figures are known', () => {
  /** Multiply-accumulates of one picture of 224 x 224, as the papers and model zoos give them. */
  const known: [string, number][] = [
    ['light_resnet50', 4_089_184_256],
    ['light_vgg19', 19_632_062_464],
    ['light_squeezenet', 349_151_936],
  ];
  it.each(known)('%s', async (name, macs) => {
    const path = join(conformanceFolder(), '..', 'light', `${name}.onnx`);
    const facts = await inspectModel(await openModel(path));
    expect(facts.macs).toBe(macs);
    expect(facts.notes.map(({ code }) => code)).toContain('placeholder-weights');
  });
});

describe('types from the engine', () => {
  it('are attached where the model says nothing, and change nothing else', async () => {
    const scratch = mkdtempSync(join(tmpdir(), 'hone-types-'));
    try {
      const model = tinyClassifier();
      const engine = await openEngine();
      const before = hashModel(model);
      const { types } = await inferTypes(model, engine, scratch);
      expect(hashModel(model)).toBe(before);
      expect(types.get('convolved')).toEqual({ kind: 'tensor', dtype: 'float32', shape: ['batch', 4, 8, 8] });
      expect(await attachTypes(model, engine, scratch)).toBe(4);
      const [convolution] = model.graph.nodes;
      expect(convolution?.outputs[0]?.type).toEqual({ kind: 'tensor', dtype: 'float32', shape: ['batch', 4, 8, 8] });
      expect(await attachTypes(model, engine, scratch)).toBe(0);
    } finally {
      rmSync(scratch, { recursive: true });
    }
  });
});
