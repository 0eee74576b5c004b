/** Recurrent layers, against ONNX Runtime on the source. */
import { describe, expect, it } from 'vitest';
import type { CoremlOptions } from '../../../../native-workers/artifacts/coreml-options.ts';
import { stringAttribute, stringsAttribute } from '../../../../native-workers/graph/attribute.ts';
import type { Model } from '../../../../native-workers/graph/model.ts';
import type { Value } from '../../../../native-workers/graph/value.ts';
import { openEngine } from '../../../../native-workers/runtimes/onnxruntime.ts';
import { differenceOf, finish, waves } from '../../../helpers/coreml.ts';
import { ModelBuilder } from '../../../helpers/models.ts';

const engine = await openEngine();

describe('recurrent layers', () => {
  interface Layer {
    readonly type: 'LSTM' | 'GRU' | 'RNN';
    readonly gates: number;
    readonly direction: 'forward' | 'reverse' | 'bidirectional';
    readonly attributes?: Readonly<Record<string, number>>;
    readonly states?: boolean;
    readonly peephole?: boolean;
    readonly plainBias?: boolean;
  }

  function recurrent({
    type,
    gates,
    direction,
    attributes = {},
    states = true,
    peephole = false,
    plainBias,
  }: Layer): Model {
    const build = new ModelBuilder();
    const [hidden, count] = [4, direction === 'bidirectional' ? 2 : 1];
    const x = build.input('x', [5, 2, 3]);
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

  it('with an activation that Core ML lacks is refused by name', async () => {
    const model = recurrent({ type: 'RNN', gates: 1, direction: 'forward' });
    const node = model.graph.outputs[0]?.producer;
    node?.attributes.set('activations', stringsAttribute(['Softplus']));
    await expect(differenceOf(engine, model, { x: waves([5, 2, 3]) })).rejects.toMatchObject({
      code: 'operator-unsupported',
      message: expect.stringContaining('has no activation Softplus'),
    });
  });
});
