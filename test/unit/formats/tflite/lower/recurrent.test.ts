/** LSTM, GRU and RNN as LiteRT computes them, against ONNX Runtime. */
import { describe, expect, it } from 'vitest';
import { withInnerGraphs } from '../../../../../native-workers/formats/tflite/ir.ts';
import {
  type Attribute,
  floatAttribute,
  floatsAttribute,
  stringAttribute,
} from '../../../../../native-workers/graph/attribute.ts';
import type { Model } from '../../../../../native-workers/graph/model.ts';
import { tensorFromNumbers } from '../../../../../native-workers/graph/tensor-values.ts';
import type { Value } from '../../../../../native-workers/graph/value.ts';
import type { Feeds } from '../../../../../native-workers/lib/engine.ts';
import { Random } from '../../../../../native-workers/lib/random.ts';
import { ModelBuilder } from '../../../../helpers/models.ts';
import { againstOnnxRuntime, agrees, converted, readBack } from '../../../../helpers/tflite-lowering.ts';

const [STEPS, BATCH, WIDTH, HIDDEN] = [5, 3, 4, 6];
const GATES = { RNN: 1, GRU: 3, LSTM: 4 } as const;

interface Layer {
  readonly type: keyof typeof GATES;
  readonly attributes?: Readonly<Record<string, Attribute | number>>;
  readonly directions?: 1 | 2;
  readonly lengths?: readonly number[];
  readonly hasState?: boolean;
  readonly hasPeepholes?: boolean;
  readonly hasBias?: boolean;
  /** Weights as inputs of the model, not as constants. */
  readonly computesWeights?: boolean;
  readonly steps?: number;
}

const strings = (...texts: string[]): Attribute => ({
  type: 'strings',
  value: texts.map((text) => new TextEncoder().encode(text)),
});

function made({ type, attributes = {}, directions = 1, steps = STEPS, ...layer }: Layer): {
  model: Model;
  feeds: Feeds;
} {
  const random = new Random(7);
  const feeds: Feeds = {};
  const build = new ModelBuilder();
  const given = (name: string, shape: readonly number[]): Value => {
    const count = shape.reduce((all, dim) => all * dim, 1);
    feeds[name] = { dtype: 'float32', shape, data: Float32Array.from({ length: count }, () => random.normal()) };
    return build.input(name, shape);
  };
  const weight = (name: string, shape: readonly number[]): Value =>
    layer.computesWeights ? given(name, shape) : build.weight(name, shape, 0.5);
  const rows = GATES[type] * HIDDEN;
  const inputs: (Value | null)[] = [
    given('x', [steps, BATCH, WIDTH]),
    weight('w', [directions, rows, WIDTH]),
    weight('r', [directions, rows, HIDDEN]),
    layer.hasBias === false ? null : weight('b', [directions, 2 * rows]),
    layer.lengths === undefined
      ? null
      : build.graph.addInitializer('lengths', tensorFromNumbers('int32', layer.lengths, [BATCH])),
    layer.hasState ? given('h0', [directions, BATCH, HIDDEN]) : null,
  ];
  if (type === 'LSTM') {
    inputs.push(layer.hasState ? given('c0', [directions, BATCH, HIDDEN]) : null);
    inputs.push(layer.hasPeepholes ? weight('p', [directions, 3 * HIDDEN]) : null);
  }
  const names = type === 'LSTM' ? ['y', 'h', 'c'] : ['y', 'h'];
  const outputs = names.map((name) => build.graph.createValue(name));
  const named = Object.entries({ hidden_size: HIDDEN, ...attributes }).map(
    ([key, value]) =>
      [key, typeof value === 'number' ? { type: 'int' as const, value: BigInt(value) } : value] as const,
  );
  build.graph.addNode({ opType: type, name: 'layer', inputs, outputs, attributes: named });
  return { model: build.outputs(...outputs).model(), feeds };
}

const CASES: readonly (Layer & { readonly name: string })[] = (['RNN', 'GRU', 'LSTM'] as const).flatMap((type) => [
  { name: `${type} forward`, type },
  { name: `${type} without a bias`, type, hasBias: false },
  { name: `${type} reverse`, type, attributes: { direction: stringAttribute('reverse') } },
  {
    name: `${type} in both directions, with a state`,
    type,
    directions: 2,
    hasState: true,
    attributes: { direction: stringAttribute('bidirectional') },
  },
  {
    name: `${type} of sequences that end sooner, in both directions`,
    type,
    directions: 2,
    lengths: [3, 5, 1],
    hasState: true,
    attributes: { direction: stringAttribute('bidirectional') },
  },
  { name: `${type} of sequences that end sooner`, type, lengths: [3, 5, 1] },
  { name: `${type} with computed weights`, type, computesWeights: true, hasState: true },
  { name: `${type} with a clip`, type, attributes: { clip: floatAttribute(0.3) } },
]);

const FURTHER: readonly (Layer & { readonly name: string })[] = [
  {
    name: 'GRU with the reset behind the product',
    type: 'GRU',
    hasState: true,
    attributes: { linear_before_reset: 1 },
  },
  { name: 'the same without a state', type: 'GRU', attributes: { linear_before_reset: 1 } },
  { name: 'LSTM with peepholes', type: 'LSTM', hasPeepholes: true, hasState: true },
  { name: 'LSTM with coupled gates', type: 'LSTM', hasState: true, attributes: { input_forget: 1 } },
  {
    name: 'LSTM with activations of its own',
    type: 'LSTM',
    attributes: {
      activations: strings('HardSigmoid', 'ScaledTanh', 'LeakyRelu'),
      activation_alpha: floatsAttribute([0.3, 0.8, 0.1]),
      activation_beta: floatsAttribute([0.4, 1.2]),
    },
  },
  ...['Relu', 'Elu', 'Softsign', 'Softplus'].map((name) => ({
    name: `RNN with ${name}`,
    type: 'RNN' as const,
    attributes: { activations: strings(name) },
  })),
  // ONNX Runtime's defaults for these two are not ONNX's.
  ...['Affine', 'ThresholdedRelu'].map((name) => ({
    name: `RNN with ${name}`,
    type: 'RNN' as const,
    attributes: {
      activations: strings(name),
      activation_alpha: floatsAttribute([0.7]),
      activation_beta: floatsAttribute([0.1]),
    },
  })),
];

describe('recurrent layers on LiteRT', () => {
  it.each([...CASES, ...FURTHER])('$name', async (layer) => {
    const { model, feeds } = made(layer);
    const difference = await againstOnnxRuntime(model, feeds);
    expect(difference.samples).toBe(1);
    expect(agrees(difference), JSON.stringify(difference)).toBe(true);
  });

  const bidirectional = { direction: stringAttribute('bidirectional') };
  const LONG: readonly Layer[] = (['RNN', 'GRU', 'LSTM'] as const).flatMap((type) => [
    { type },
    { type, attributes: { direction: stringAttribute('reverse') }, hasState: true },
    { type, directions: 2 as const, lengths: [270, 3, 300], hasState: true, attributes: bidirectional },
    { type, computesWeights: true },
  ]);

  it.each(LONG)('%o of 300 steps are a loop over blocks', async (layer) => {
    const { model, feeds } = made({ ...layer, steps: 300 });
    const { graph } = await converted(model);
    const loops = graph?.operators.filter(({ code }) => code === 'WHILE') ?? [];
    expect(loops).toHaveLength(layer.directions ?? 1);
    const difference = await againstOnnxRuntime(model, feeds);
    expect(agrees(difference, 2e-5), JSON.stringify(difference)).toBe(true);
    const back = await readBack(model, feeds);
    expect(agrees(back, 2e-5), JSON.stringify(back)).toBe(true);
  });

  it('need no more operators for more steps', async () => {
    const count = async (steps: number): Promise<number> => {
      const { graph } = await converted(made({ type: 'LSTM', steps }).model);
      return graph === null ? 0 : withInnerGraphs(graph).flatMap(({ operators }) => operators).length;
    };
    expect(await count(3200)).toBe(await count(320));
    expect(await count(320)).toBeLessThan(await count(250));
  });
});
