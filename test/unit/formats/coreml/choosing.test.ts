/** Operators whose results are as long as they find things, and those on bits: against ONNX Runtime on the source, to the last number. */
import { describe, expect, it } from 'vitest';
import { stringAttribute } from '../../../../native-workers/graph/attribute.ts';
import type { Model } from '../../../../native-workers/graph/model.ts';
import { tensorFromNumbers } from '../../../../native-workers/graph/tensor-values.ts';
import type { Value } from '../../../../native-workers/graph/value.ts';
import type { Feeds, HostTensor } from '../../../../native-workers/lib/engine.ts';
import { Random } from '../../../../native-workers/lib/random.ts';
import { openEngine } from '../../../../native-workers/runtimes/onnxruntime.ts';
import { coverageOf, differenceOf, finish } from '../../../helpers/coreml.ts';
import { ModelBuilder } from '../../../helpers/models.ts';

const engine = await openEngine();

const floats = (shape: readonly number[], make: (at: number) => number): HostTensor => {
  const size = shape.reduce((product, dim) => product * dim, 1);
  return { dtype: 'float32', shape, data: Float32Array.from({ length: size }, (_, at) => make(at)) };
};

describe('NonMaxSuppression', () => {
  const [batch, classes, count] = [2, 3, 24];

  interface Suppression {
    readonly most: number;
    readonly overlap?: number;
    readonly score?: number;
    readonly isCentred?: boolean;
  }

  function suppression({ most, overlap = 0.4, score, isCentred = false }: Suppression): Model {
    const build = new ModelBuilder();
    const number = (name: string, value: number, dtype: 'int64' | 'float32'): Value =>
      build.graph.addInitializer(name, tensorFromNumbers(dtype, [value], [1]));
    const inputs: Value[] = [build.input('boxes', [batch, count, 4]), build.input('scores', [batch, classes, count])];
    inputs.push(number('most', most, 'int64'), number('overlap', overlap, 'float32'));
    if (score !== undefined) inputs.push(number('score', score, 'float32'));
    return finish(build, build.op('NonMaxSuppression', inputs, 'y', { center_point_box: isCentred ? 1 : 0 }));
  }

  /** Boxes that overlap in part, corners in any order; scores in steps, so that some are equal to the bound. */
  function feeds(seed: number, isCentred: boolean): Feeds {
    const random = new Random(seed);
    const corner = (): number => Math.floor(random.float() * 400) + 0.5;
    const boxes = floats([batch, count, 4], (at) => (isCentred && at % 4 > 1 ? random.float() * 200 + 10 : corner()));
    // Each score once a class: which of two equal ones comes first is not defined.
    const order = Array.from({ length: count }, (_, at) => at);
    const scores = floats([batch, classes, count], (at) => {
      if (at % count === 0) random.shuffle(order);
      return (order[at % count] ?? 0) / count;
    });
    return { boxes, scores };
  }

  it.each(['iOS15', 'iOS16', 'iOS17', 'iOS18'] as const)('chooses the same boxes (%s)', async (target) => {
    const cases: Suppression[] = [
      { most: 3, score: 0.25 },
      { most: 100, score: 0.5, overlap: 0.1 },
      { most: 5, overlap: 0, isCentred: true },
      { most: 100, isCentred: true, score: 0.75 },
    ];
    for (const [seed, each] of cases.entries()) {
      const inputs = feeds(seed + 1, each.isCentred === true);
      for (const precision of ['float32', 'float16'] as const) {
        const { largest } = await differenceOf(engine, suppression(each), inputs, { target, precision });
        expect(largest).toBe(0);
      }
    }
  });

  it('of no boxes at all is refused', async () => {
    const { unsupported } = await coverageOf(engine, suppression({ most: 0 }));
    expect(unsupported).toMatchObject([{ type: 'NonMaxSuppression', reason: expect.stringContaining('chooses 0') }]);
  });
});

describe('Unique', () => {
  function sortedOut(shape: readonly number[], attributes: Readonly<Record<string, number>>): Model {
    const build = new ModelBuilder();
    const y = build.op('Unique', [build.input('x', shape)], 'y', attributes);
    for (const [index, name] of ['places', 'kinds', 'counts'].entries())
      y.producer?.setOutput(index + 1, build.graph.createValue(name));
    return finish(build, ...((y.producer?.outputs ?? []) as Value[]));
  }

  it.each([
    [[40], {}],
    [[40], { sorted: 0 }],
    [[5, 8], {}],
    [[12, 2], { axis: 0 }],
    [[2, 12], { axis: -1, sorted: 0 }],
    [[2, 10, 3], { axis: 1 }],
  ] as const)('of %j with %j', async (shape, attributes) => {
    const random = new Random(3);
    const x = floats(shape, () => Math.floor(random.float() * 3) - 1.5);
    const { largest } = await differenceOf(engine, sortedOut(shape, attributes), { x });
    expect(largest).toBe(0);
  });

  it('of too many elements is refused', async () => {
    const { unsupported } = await coverageOf(engine, sortedOut([5000], {}));
    expect(unsupported).toMatchObject([{ type: 'Unique', reason: expect.stringContaining('in pairs') }]);
  });
});

describe('bits', () => {
  const RANGES = {
    int8: [-128, 127],
    uint8: [0, 255],
    int16: [-32768, 32767],
    int32: [-(2 ** 31), 2 ** 31 - 1],
  } as const;
  const ARRAYS = { int8: Int8Array, uint8: Uint8Array, int16: Int16Array, int32: Int32Array } as const;
  type Type = keyof typeof RANGES;

  function integers(dtype: Type, seed: number): HostTensor {
    const random = new Random(seed);
    const [low, high] = RANGES[dtype];
    const values = [
      low,
      high,
      0,
      1,
      low,
      ...Array.from({ length: 19 }, () => low + Math.floor(random.float() * (high - low))),
    ];
    return { dtype, shape: [2, 12], data: ARRAYS[dtype].from(values) } as HostTensor;
  }

  const TYPES = Object.keys(RANGES) as Type[];
  const OPERATORS = ['BitwiseAnd', 'BitwiseOr', 'BitwiseXor', 'BitwiseNot'];
  it.each(TYPES.flatMap((dtype) => OPERATORS.map((operator) => [operator, dtype] as const)))(
    '%s of %s',
    async (operator, dtype) => {
      const build = new ModelBuilder();
      const names = operator === 'BitwiseNot' ? ['a'] : ['a', 'b'];
      const model = finish(
        build,
        build.op(
          operator,
          names.map((name) => build.input(name, [2, 12], dtype)),
          'y',
        ),
      );
      const feeds = Object.fromEntries(names.map((name, seed) => [name, integers(dtype, seed + 1)]));
      expect((await differenceOf(engine, model, feeds)).largest).toBe(0);
    },
  );

  it.each(['LEFT', 'RIGHT'] as const)('shifted to the %s, as far as there are bits', async (direction) => {
    const build = new ModelBuilder();
    const operands = ['a', 'b'].map((name) => build.input(name, [16], 'uint8'));
    const model = finish(build, build.op('BitShift', operands, 'y', { direction: stringAttribute(direction) }));
    const a = { dtype: 'uint8', shape: [16], data: Uint8Array.from({ length: 16 }, (_, at) => 255 - at * 13) } as const;
    const b = { dtype: 'uint8', shape: [16], data: Uint8Array.from({ length: 16 }, (_, at) => at % 8) } as const;
    expect((await differenceOf(engine, model, { a, b })).largest).toBe(0);
  });
});
