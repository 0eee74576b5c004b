/** Attention and what ONNX Runtime fuses around it, against ONNX Runtime on the source. */
import { describe, expect, it } from 'vitest';
import type { Model } from '../../../../native-workers/graph/model.ts';
import { tensorFromNumbers } from '../../../../native-workers/graph/tensor-values.ts';
import type { Value } from '../../../../native-workers/graph/value.ts';
import type { Feeds } from '../../../../native-workers/lib/engine.ts';
import { openEngine } from '../../../../native-workers/runtimes/onnxruntime.ts';
import { coverageOf, differenceOf, finish, waves } from '../../../helpers/coreml.ts';
import { type FusedCase, fusedModel, type Operand } from '../../../helpers/fused.ts';
import { ModelBuilder } from '../../../helpers/models.ts';

const engine = await openEngine();
const CONTRIB = 'com.microsoft';
const FLOAT32 = { precision: 'float32' } as const;

describe('attention', () => {
  /** softmax(q k^T / 2 + mask) v, as exporters write it. */
  function exported(masked: boolean): Model {
    const build = new ModelBuilder();
    const [q, k, v] = ['q', 'k', 'v'].map((name) => build.input(name, [2, 5, 3, 4])) as [Value, Value, Value];
    const heads = (x: Value, name: string, perm: readonly number[]): Value =>
      build.op('Transpose', [x], name, { perm });
    const product = build.op('MatMul', [heads(q, 'qh', [0, 2, 1, 3]), heads(k, 'kh', [0, 2, 3, 1])], 'scores');
    const factor = build.graph.addInitializer('factor', tensorFromNumbers('float32', [3], []));
    const scaled = build.op('Div', [product, factor], 'scaled');
    const added = masked ? build.op('Add', [scaled, build.input('mask', [2, 1, 5, 5])], 'added') : scaled;
    const weights = build.op('Softmax', [added], 'weights', { axis: -1 });
    return finish(build, build.op('MatMul', [weights, heads(v, 'vh', [0, 2, 1, 3])], 'y'));
  }
  const inputs: Feeds = { q: waves([2, 5, 3, 4]), k: waves([2, 5, 3, 4], 2), v: waves([2, 5, 3, 4], 3) };

  it.each([
    [true, 'iOS18', 1],
    [false, 'iOS18', 1],
    [true, 'iOS17', 0],
  ] as const)(
    'as exporters write it, masked %s, is one operator from iOS 18 on (%s)',
    async (masked, target, count) => {
      const feeds = masked ? { ...inputs, mask: waves([2, 1, 5, 5], 5) } : inputs;
      const { largest, package: made } = await differenceOf(engine, exported(masked), feeds, { ...FLOAT32, target });
      expect(largest).toBeLessThan(1e-5);
      const types = made.main.operations.map(({ type }) => type);
      expect(types.filter((type) => type === 'scaled_dot_product_attention')).toHaveLength(count);
      expect(types.includes('softmax')).toBe(count === 0);
    },
  );

  it('is not fused when something else reads the weights', async () => {
    const model = exported(false);
    const weights = [...model.graph.values()].find(({ name }) => name === 'weights') as Value;
    model.graph.outputs.push(weights);
    const { largest, package: made } = await differenceOf(engine, model, inputs, { ...FLOAT32, target: 'iOS18' });
    expect(largest).toBeLessThan(1e-5);
    expect(made.main.operations.some(({ type }) => type === 'softmax')).toBe(true);
  });

  it.each(['iOS17', 'iOS18'] as const)('of ONNX Runtime with several heads, biases and masks (%s)', async (target) => {
    const build = new ModelBuilder();
    const [q, k, v] = ['q', 'k', 'v'].map((name) => build.input(name, [2, 4, 8])) as [Value, Value, Value];
    const bias = build.weight('bias', [24], 0.5);
    const padding = build.graph.addInitializer('lengths', tensorFromNumbers('int32', [4, 2], [2]));
    const relative = build.weight('relative', [1, 2, 4, 4], 0.3);
    const y = build.op('MultiHeadAttention', [q, k, v, bias, padding, relative], 'y', { num_heads: 2 }, CONTRIB);
    const feeds = { q: waves([2, 4, 8]), k: waves([2, 4, 8], 2), v: waves([2, 4, 8], 3) };
    const { largest } = await differenceOf(engine, finish(build, y), feeds, { ...FLOAT32, target });
    expect(largest).toBeLessThan(1e-5);
  });

  it.each(['iOS17', 'iOS18'] as const)('of ONNX Runtime with shared keys and turned places (%s)', async (target) => {
    const build = new ModelBuilder();
    const q = build.input('q', [1, 6, 64]);
    const [k, v] = ['k', 'v'].map((name) => build.input(name, [1, 6, 32])) as [Value, Value];
    const last = build.graph.addInitializer('last', tensorFromNumbers('int32', [5], [1, 1]));
    const total = build.graph.addInitializer('total', tensorFromNumbers('int32', [6], []));
    const table = (name: string, turn: (x: number) => number): Value =>
      build.graph.addInitializer(
        name,
        tensorFromNumbers(
          'float32',
          Array.from({ length: 16 * 8 }, (_, at) => turn(Math.floor(at / 8) / 2 ** (at % 8))),
          [16, 8],
        ),
      );
    const inputs = [q, k, v, null, null, last, total, table('cos', Math.cos), table('sin', Math.sin)];
    const y = build.op('GroupQueryAttention', inputs, 'y', { num_heads: 4, kv_num_heads: 2, do_rotary: 1 }, CONTRIB);
    const feeds = { q: waves([1, 6, 64]), k: waves([1, 6, 32], 2), v: waves([1, 6, 32], 3) };
    const { largest, package: made } = await differenceOf(engine, finish(build, y), feeds, { ...FLOAT32, target });
    expect(largest).toBeLessThan(1e-5);
    const isOne = made.main.operations.some(({ type }) => type === 'scaled_dot_product_attention');
    expect(isOne).toBe(target === 'iOS18');
  });

  const rows = (...shape: number[]): Operand => ({ shape });
  const [turns, scalar] = [{ weight: [16, 8] }, { weight: [], ints: [6] }];
  const one = [rows(1, 1, 64), rows(1, 1, 32), rows(1, 1, 32)];
  const last = { shape: [1, 1], ints: [5] };
  const cached: readonly (readonly [string, FusedCase])[] = [
    [
      'that grows',
      {
        type: 'GroupQueryAttention',
        operands: [...one, rows(1, 2, 5, 16), rows(1, 2, 5, 16), last, scalar, turns, turns],
        attributes: { num_heads: 4, kv_num_heads: 2, do_rotary: 1 },
        outputs: [0, 1, 2],
      },
    ],
    [
      'of fixed length',
      {
        type: 'GroupQueryAttention',
        operands: [...one, rows(1, 2, 9, 16), rows(1, 2, 9, 16), last, scalar, turns, turns],
        attributes: { num_heads: 4, kv_num_heads: 2, do_rotary: 1 },
        outputs: [0, 1, 2],
      },
    ],
    [
      'of several heads',
      {
        type: 'MultiHeadAttention',
        operands: [rows(1, 3, 8), rows(1, 3, 8), rows(1, 3, 8), null, null, null, rows(1, 2, 5, 4), rows(1, 2, 5, 4)],
        attributes: { num_heads: 2, unidirectional: 1 },
        outputs: [0, 1, 2],
      },
    ],
    [
      'of one projection',
      {
        type: 'Attention',
        operands: [rows(1, 3, 8), { weight: [8, 24] }, { weight: [24] }, null, rows(2, 1, 2, 5, 4)],
        attributes: { num_heads: 2, unidirectional: 1 },
        outputs: [0, 1],
      },
    ],
  ];

  it.each(cached)('of ONNX Runtime with a cache %s', async (_, each) => {
    const { model, feeds } = fusedModel(each);
    for (const target of ['iOS16', 'iOS18'] as const)
      expect((await differenceOf(engine, model, feeds, { ...FLOAT32, target })).largest).toBeLessThan(1e-5);
  });

  it('of ONNX Runtime with a cache whose length is computed is refused by name', async () => {
    const operands = [...one, rows(1, 2, 5, 16), rows(1, 2, 5, 16), last, { shape: [], ints: [6] }];
    const { model } = fusedModel({
      type: 'GroupQueryAttention',
      operands,
      attributes: { num_heads: 4, kv_num_heads: 2 },
      outputs: [0, 1],
    });
    const { unsupported } = await coverageOf(engine, model);
    expect(unsupported).toMatchObject([{ reason: expect.stringContaining('a cache whose length is computed') }]);
  });

  it.each([
    ['Gelu', []],
    ['FastGelu', []],
    ['FastGelu', [8]],
    ['BiasGelu', [8]],
    ['QuickGelu', []],
    ['SkipLayerNormalization', [2, 3, 8, 8, 8]],
    ['SkipSimplifiedLayerNormalization', [2, 3, 8, 8]],
  ] as const)('%s of ONNX Runtime beside it, with operands of %j', async (type, shape) => {
    const build = new ModelBuilder();
    const isSkip = type.startsWith('Skip');
    const x = build.input('x', [2, 3, 8]);
    const vectors = (isSkip ? shape.slice(2) : shape).map((size, index) => build.weight(`w${index}`, [size], 0.5));
    const operands = isSkip ? [x, build.input('skip', [2, 3, 8]), ...vectors] : [x, ...vectors];
    const model = finish(build, build.op(type, operands, 'y', {}, CONTRIB));
    const feeds = isSkip ? { x: waves([2, 3, 8]), skip: waves([2, 3, 8], 2) } : { x: waves([2, 3, 8]) };
    const { largest } = await differenceOf(engine, model, feeds, FLOAT32);
    expect(largest).toBeLessThan(1e-5);
  });
});
