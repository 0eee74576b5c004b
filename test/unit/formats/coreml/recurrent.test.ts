/** Recurrent layers, against ONNX Runtime on the source. */
import { describe, expect, it } from 'vitest';
import type { CoremlOptions } from '../../../../native-workers/artifacts/coreml-options.ts';
import type { MilValue } from '../../../../native-workers/formats/coreml/program.ts';
import {
  type Attribute,
  floatAttribute,
  floatsAttribute,
  intAttribute,
  stringAttribute,
  stringsAttribute,
} from '../../../../native-workers/graph/attribute.ts';
import type { Model } from '../../../../native-workers/graph/model.ts';
import type { Value } from '../../../../native-workers/graph/value.ts';
import { openEngine } from '../../../../native-workers/runtimes/onnxruntime.ts';
import { coverageOf, differenceOf, finish, waves } from '../../../helpers/coreml.ts';
import { ModelBuilder } from '../../../helpers/models.ts';

const engine = await openEngine();
const FLOAT32 = { precision: 'float32' } as const;

describe('recurrent layers', () => {
  interface Layer {
    readonly type: 'LSTM' | 'GRU' | 'RNN';
    readonly gates: number;
    readonly direction: 'forward' | 'reverse' | 'bidirectional';
    readonly attributes?: Readonly<Record<string, number>>;
    readonly states?: boolean;
    readonly peephole?: boolean;
    readonly plainBias?: boolean;
    readonly steps?: number;
  }

  function recurrent({
    type,
    gates,
    direction,
    attributes = {},
    states = true,
    peephole = false,
    plainBias,
    steps = 5,
  }: Layer): Model {
    const build = new ModelBuilder();
    const [hidden, count] = [4, direction === 'bidirectional' ? 2 : 1];
    const x = build.input('x', [steps, 2, 3]);
    const w = build.weight('w', [count, gates * hidden, 3], 0.5);
    const r = build.weight('r', [count, gates * hidden, hidden], 0.5);
    const b = build.weight('b', [count, 2 * gates * hidden], plainBias ? 0 : 0.5);
    const inputs: (Value | null)[] = [x, w, r, b];
    if (states) inputs.push(null, build.weight('h', [count, 2, hidden], 0.5));
    if (type === 'LSTM' && states) inputs.push(build.weight('c', [count, 2, hidden], 0.5));
    if (peephole) inputs.push(build.weight('p', [count, 3 * hidden], 0.5));
    const { graph } = build;
    const y = build.op(type, inputs, 'y', {
      hidden_size: hidden,
      direction: stringAttribute(direction),
      ...attributes,
    });
    const node = y.producer;
    for (const [index, name] of ['y_h', ...(type === 'LSTM' ? ['y_c'] : [])].entries())
      node?.setOutput(index + 1, graph.createValue(name));
    return finish(build, ...((node?.outputs ?? []) as Value[]));
  }

  const LAYERS: readonly (readonly [string, Layer])[] = [
    ['an LSTM', { type: 'LSTM', gates: 4, direction: 'forward' }],
    ['an LSTM without states', { type: 'LSTM', gates: 4, direction: 'forward', states: false }],
    ['an LSTM with peepholes in reverse', { type: 'LSTM', gates: 4, direction: 'reverse', peephole: true }],
    ['an LSTM of both directions', { type: 'LSTM', gates: 4, direction: 'bidirectional', peephole: true }],
    ['an RNN of both directions', { type: 'RNN', gates: 1, direction: 'bidirectional' }],
    [
      'a GRU that resets after',
      { type: 'GRU', gates: 3, direction: 'bidirectional', attributes: { linear_before_reset: 1 } },
    ],
    ['a GRU that resets before, in reverse', { type: 'GRU', gates: 3, direction: 'reverse' }],
    [
      "a GRU of Core ML's own kind",
      { type: 'GRU', gates: 3, direction: 'forward', attributes: { linear_before_reset: 1 }, plainBias: true },
    ],
  ];
  const OPTIONS: readonly (readonly [CoremlOptions['target'], CoremlOptions['precision'], number])[] = [
    ['iOS15', 'float32', 1e-5],
    ['iOS16', 'float16', 5e-3],
    ['iOS17', 'float16', 5e-3],
  ];
  const CASES = LAYERS.flatMap(([name, layer]) => OPTIONS.map((option) => [name, layer, ...option] as const));

  it.each(CASES)('%s gives sequences and states (%#)', async (_name, layer, target, precision, tolerance) => {
    const { largest, package: made } = await differenceOf(
      engine,
      recurrent(layer),
      { x: waves([5, 2, 3]) },
      { target, precision },
    );
    expect(largest).toBeLessThan(tolerance);
    const isOwn = layer.type !== 'GRU' || layer.plainBias === true;
    expect(made.main.operations.some(({ type }) => type === layer.type.toLowerCase())).toBe(isOwn);
  });

  const withActivations = (
    model: Model,
    names: readonly string[],
    extra: Readonly<Record<string, Attribute>> = {},
  ): Model => {
    const node = model.graph.outputs[0]?.producer;
    node?.attributes.set('activations', stringsAttribute(names));
    for (const [name, value] of Object.entries(extra)) node?.attributes.set(name, value);
    return model;
  };
  const lstm = { type: 'LSTM', gates: 4, direction: 'forward' } as const;
  const gru = {
    type: 'GRU',
    gates: 3,
    direction: 'forward',
    attributes: { linear_before_reset: 1 },
    plainBias: true,
  } as const;
  const rnn = { type: 'RNN', gates: 1, direction: 'reverse' } as const;

  it.each([
    [lstm, ['HardSigmoid', 'Tanh', 'Tanh'], 'recurrent_activation', 'hard_sigmoid'],
    [rnn, ['HardSigmoid'], 'activation', 'sigmoid_hard'],
    [lstm, ['Sigmoid', 'Relu', 'Tanh'], 'cell_activation', 'relu'],
  ] as const)('$type with %j are layers: %s is %s', async (layer, names, parameter, text) => {
    const model = withActivations(recurrent(layer), names);
    const { largest, package: made } = await differenceOf(engine, model, { x: waves([5, 2, 3]) }, FLOAT32);
    expect(largest).toBeLessThan(1e-5);
    const own = made.main.operations.find(({ type }) => type === layer.type.toLowerCase());
    expect((own?.inputs.get(parameter)?.[0] as MilValue | undefined)?.constant?.strings).toEqual([text]);
  });

  const both = { ...lstm, direction: 'bidirectional', peephole: true } as const;
  it.each([
    [
      'a hard sigmoid of another slope',
      lstm,
      ['HardSigmoid', 'Tanh', 'Tanh'],
      { activation_alpha: floatsAttribute([1 / 6]) },
    ],
    [
      'other activations, each way its own',
      both,
      ['Sigmoid', 'Softsign', 'Elu', 'HardSigmoid', 'Softplus', 'Tanh'],
      {},
    ],
    [
      'a scaled and a leaky one',
      lstm,
      ['Sigmoid', 'ScaledTanh', 'LeakyRelu'],
      { activation_alpha: floatsAttribute([1.5, 0.2]), activation_beta: floatsAttribute([0.7]) },
    ],
    ['clipped gates', { ...lstm, peephole: true }, ['Sigmoid', 'Tanh', 'Tanh'], { clip: floatAttribute(0.4) }],
    ['coupled gates', lstm, ['Sigmoid', 'Tanh', 'Tanh'], { input_forget: intAttribute(1) }],
    ['a hard sigmoid', gru, ['HardSigmoid', 'Tanh'], {}],
    ['clipped gates', gru, ['Sigmoid', 'Tanh'], { clip: floatAttribute(0.3) }],
    ['Softplus', rnn, ['Softplus'], {}],
    ['Affine', rnn, ['Affine'], { activation_alpha: floatsAttribute([0.5]), activation_beta: floatsAttribute([0.25]) }],
    ['ThresholdedRelu', rnn, ['ThresholdedRelu'], { activation_alpha: floatsAttribute([0.25]) }],
  ] as const)('%s: step by step', async (_, layer, names, extra) => {
    const model = withActivations(recurrent(layer), names, extra);
    const { largest, package: made } = await differenceOf(engine, model, { x: waves([5, 2, 3]) }, FLOAT32);
    expect(largest).toBeLessThan(1e-5);
    expect(made.main.operations.some(({ type }) => type === layer.type.toLowerCase())).toBe(false);
  });

  it('step by step of too many steps is refused by name', async () => {
    const model = withActivations(recurrent({ ...rnn, steps: 200 }), ['Softplus']);
    const { unsupported } = await coverageOf(engine, model);
    expect(unsupported).toMatchObject([{ type: 'RNN', reason: expect.stringContaining('200 steps are too many') }]);
  });
});
