import { describe, expect, it } from 'vitest';
import { tflite } from '../../../native-workers/artifacts/tflite.ts';
import { TFLITE_DEFAULTS } from '../../../native-workers/artifacts/tflite-options.ts';
import type { Model } from '../../../native-workers/graph/model.ts';
import { tensorFromInt64 } from '../../../native-workers/graph/tensor-values.ts';
import { tensorType } from '../../../native-workers/graph/types.ts';
import { ModelBuilder } from '../../helpers/models.ts';
import { temporaryFolder } from '../../helpers/temp.ts';
import { tfliteContext } from '../../helpers/tflite.ts';

describe('what TFLite cannot express', () => {
  const coverageOf = async (model: Model) => {
    const context = await tfliteContext(model, temporaryFolder());
    return tflite.coverage(model, TFLITE_DEFAULTS, context);
  };

  it('is listed before anything is written: which nodes, how many, why', async () => {
    const build = new ModelBuilder('odd');
    const x = build.input('x', [4]);
    const unique = build.op('Unique', [build.op('Relu', [x], 'r')], 'u');
    const zeros = build.op('NonZero', [x], 'z');
    zeros.type = tensorType('int64', [1, 'n']);
    const coverage = await coverageOf(build.outputs(unique, zeros).model());
    expect(coverage).toMatchObject({ nodes: 3, supported: 1 });
    expect(coverage.unsupported.map(({ type }) => type).sort()).toEqual(['NonZero', 'Unique']);
    expect(coverage.unsupported.every(({ reason, node }) => reason !== '' && node !== '')).toBe(true);
  });

  it('names every node that cannot be converted, also behind one that cannot', async () => {
    const build = new ModelBuilder('chain');
    const x = build.input('x', [2, 3]);
    const w = build.weight('w', [3, 3]);
    const first = build.op('CDist', [x, w], 'a', {}, 'com.microsoft');
    const middle = build.op('Relu', [first], 'b');
    const texts = build.op('Multinomial', [middle], 'd', { sample_size: 2 });
    texts.type = tensorType('int32', [2, 2]);
    const pooled = build.op(
      'Det',
      [
        build.op(
          'Reshape',
          [
            build.op('Concat', [x, middle, middle, x, x, x, x, x], 'e', { axis: 0 }),
            build.graph.addInitializer('s', tensorFromInt64([3, 4, 4], [3])),
          ],
          'f',
        ),
      ],
      'g',
    );
    const model = build.outputs(texts, pooled).model();
    model.opsets.set('com.microsoft', 1);
    const coverage = await coverageOf(model);
    expect(coverage.unsupported.map(({ type, node }) => `${type} ${node}`)).toEqual([
      'com.microsoft:CDist a_node',
      'Multinomial d_node',
      'Det g_node',
    ]);
    // What is left: Relu, Concat, Reshape.
    expect(coverage).toMatchObject({ nodes: 6, supported: 3 });
  });

  it('names every operator of a domain that the engine does not know', async () => {
    const build = new ModelBuilder('foreign');
    const first = build.op('Foo', [build.input('x', [2])], 'a', {}, 'my.domain');
    const model = build.outputs(build.op('Bar', [build.op('Relu', [first], 'b')], 'y', {}, 'my.domain')).model();
    model.opsets.set('my.domain', 1);
    const { nodes, supported, unsupported } = await coverageOf(model);
    expect(unsupported.map(({ type }) => type)).toEqual(['my.domain:Foo', 'my.domain:Bar']);
    expect([nodes, supported]).toEqual([3, 1]);
  });

  it('stops the writer with the first node', async () => {
    const build = new ModelBuilder('odd');
    const unique = build.op('Unique', [build.input('x', [4])], 'u');
    const model = build.outputs(unique).model();
    const folder = temporaryFolder();
    const context = await tfliteContext(model, folder);
    await expect(tflite.write(model, folder, TFLITE_DEFAULTS, context)).rejects.toMatchObject({
      code: 'operator-unsupported',
      where: { node: 'u_node' },
    });
  });

  it('includes empty tensors', async () => {
    const build = new ModelBuilder('empty');
    const y = build.op('Relu', [build.input('x', [0, 4])], 'y');
    const { unsupported } = await coverageOf(build.outputs(y).model());
    expect(unsupported[0]?.reason).toMatch(/empty/);
  });

  it('includes operators of domains that Hone does not know, which are never written as custom operators', async () => {
    const build = new ModelBuilder('custom');
    const y = build.op('CDist', [build.input('x', [2, 3]), build.weight('w', [3, 2])], 'y', {}, 'com.microsoft');
    const model = build.outputs(y).model();
    model.opsets.set('com.microsoft', 1);
    const { unsupported } = await coverageOf(model);
    expect(unsupported).toMatchObject([{ type: 'com.microsoft:CDist' }]);
  });
});
