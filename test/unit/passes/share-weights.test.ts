import { describe, expect, it } from 'vitest';
import { tensorFromNumbers } from '../../../native-workers/graph/tensor-values.ts';
import { shareWeights } from '../../../native-workers/passes/share-weights.ts';
import { ModelBuilder } from '../../helpers/models.ts';
import { countsOf, messagesOf, runPass } from '../../helpers/passes.ts';

function twins(differ = false) {
  const build = new ModelBuilder();
  const x = build.input('x', [16, 16]);
  const values = Array.from({ length: 256 }, (_, index) => index);
  const first = build.graph.addInitializer('first', tensorFromNumbers('float32', values, [16, 16]));
  if (differ) values[255] = 0;
  const second = build.graph.addInitializer('second', tensorFromNumbers('float32', values, [16, 16]));
  const y = build.op('MatMul', [build.op('MatMul', [x, first], 'a'), second], 'y');
  return { model: build.outputs(y).model(), y, first };
}

describe('share-weights', () => {
  it('keeps the first of equal weights', async () => {
    const { model, y, first } = twins();
    const outcome = await runPass(shareWeights, model);
    expect(countsOf(outcome)).toEqual({ 'weights shared': 1, 'bytes saved': 1024 });
    expect(messagesOf(outcome)).toEqual(['second equals first.']);
    expect([...model.graph.initializers].map(({ name }) => name)).toEqual(['first']);
    expect(y.producer?.inputs[1]).toBe(first);
  });

  it('leaves weights that differ in one element', async () => {
    const { model } = twins(true);
    expect((await runPass(shareWeights, model)).status).toBe('unchanged');
  });

  it('leaves weights below the size', async () => {
    const { model } = twins();
    expect((await runPass(shareWeights, model, { minBytes: 1025 })).status).toBe('unchanged');
  });

  it('leaves a weight that is an input or an output of the model', async () => {
    const { model, first } = twins();
    model.graph.inputs.push(first);
    expect((await runPass(shareWeights, model)).status).toBe('unchanged');
  });
});
