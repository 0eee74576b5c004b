import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { HoneError } from '../../../native-workers/protocol/errors.ts';
import type { JobRequest, JobResult } from '../../../native-workers/protocol/jobs.ts';
import { JOBS } from '../../../native-workers/protocol/jobs.ts';
import { evaluate } from '../../../native-workers/worker/evaluate.ts';
import type { JobContext } from '../../../native-workers/worker/job.ts';
import { floats, longs, type TestArray, writeNpz } from '../../helpers/npz.ts';
import { writeFiles } from '../../helpers/sample-pictures.ts';
import { hasShared, SHARED } from '../../helpers/shared.ts';
import { temporaryFolder } from '../../helpers/temp.ts';
import { type TinyModel, tinyOnnx } from '../../helpers/tiny-onnx.ts';

const quiet: JobContext = { progress: async () => undefined, log: () => undefined };

async function measure(
  request: Partial<JobRequest<'evaluate'>> & { readonly model: string },
  context = quiet,
): Promise<JobResult<'evaluate'>> {
  return JOBS.evaluate.result.parse(await evaluate({ seed: 0, ...request }, context));
}

function model(tiny: TinyModel): string {
  const path = join(temporaryFolder(), 'model.onnx');
  writeFileSync(path, tinyOnnx(tiny));
  return path;
}

const data = (arrays: Readonly<Record<string, TestArray>>): Promise<string> =>
  writeNpz(join(temporaryFolder(), 'data.npz'), arrays);

/** Scores of a class are one input each, times a factor: the largest input wins, unless the factors differ. */
const scaled = (factors: readonly number[], batch: number | string = 'n'): string =>
  model({
    nodes: [{ type: 'Mul', inputs: ['x', 'factors'], outputs: ['scores'] }],
    inputs: [{ name: 'x', shape: [batch, factors.length] }],
    outputs: [{ name: 'scores', shape: [batch, factors.length] }],
    weights: [{ name: 'factors', shape: [factors.length], data: Float32Array.from(factors) }],
  });

/** Five samples of three classes, the largest number in turn. */
const FIVE = floats([5, 3], [3, 1, 2, 1, 3, 2, 1, 2, 3, 3, 2, 1, 2, 3, 1]);

const top1 = ({ metrics }: JobResult<'evaluate'>): number | undefined =>
  metrics.find(({ name }) => name === 'top-1')?.value;

describe('evaluate', () => {
  it('measures accuracy with its interval', async () => {
    const result = await measure({
      model: scaled([1, 1, 1]),
      data: await data({ x: FIVE, labels: longs([5], [0, 1, 2, 0, 2]) }),
    });
    expect(result.metrics.map(({ name }) => name)).toEqual(['top-1', 'macro-precision', 'macro-recall', 'macro-f1']);
    expect(result.metrics[0]).toMatchObject({
      name: 'top-1',
      value: 0.8,
      samples: 5,
      interval: { low: expect.closeTo(0.3755, 3), high: expect.closeTo(0.9638, 3) },
    });
    expect(result).toMatchObject({ skipped: [] });
    expect(result.fidelity).toBeUndefined();
  });

  it('asks for data where random inputs of guessed sizes are refused', async () => {
    const tiny = (): string =>
      model({
        nodes: [{ type: 'MatMul', inputs: ['x', 'w'], outputs: ['y'] }],
        inputs: [{ name: 'x', shape: ['n', 'features'] }],
        outputs: [{ name: 'y', shape: ['n', 2] }],
        weights: [{ name: 'w', shape: [3, 2], data: new Float32Array(6) }],
      });
    await expect(measure({ model: tiny(), against: tiny() })).rejects.toMatchObject({
      code: 'data-missing',
      message: expect.stringContaining("'x' [1, 1]"),
    });
  });

  it('compares with another model: fidelity, and the samples whose answer changed', async () => {
    const labels = longs([5], [0, 1, 2, 0, 1]);
    const result = await measure({
      model: scaled([1, 1, 2]),
      against: scaled([1, 1, 1]),
      data: await data({ x: FIVE, labels }),
    });
    expect(top1(result)).toBe(0.6);
    expect(result.flips).toEqual([
      { sample: '0', before: '0', after: '2' },
      { sample: '1', before: '1', after: '2' },
    ]);
    expect(result.fidelity).toMatchObject({
      samples: 5,
      inputs: 'user',
      outputs: [{ name: 'scores', maxAbs: 3, top1Agreement: 0.6, notFinite: 0 }],
    });
  });

  it('compares two models on random inputs where there is no data', async () => {
    const request = { model: scaled([1, 1, 1.01]), against: scaled([1, 1, 1]) };
    const result = await measure(request);
    expect(result).toMatchObject({
      metrics: [],
      fidelity: { samples: 32, inputs: 'seeded' },
      notes: [{ code: 'inputs-random' }],
    });
    expect(result.flips).toBeUndefined();
    expect(await measure(request)).toEqual(result);
    expect(await measure({ ...request, seed: 1 })).not.toEqual(result);
  });

  it.each([1, 2, 4, 8])('gives the same for a model with a fixed batch of %i', async (batch) => {
    const labels = longs([5], [0, 1, 2, 0, 2]);
    const result = await measure({
      model: scaled([1, 1, 1], batch),
      against: scaled([1, 1, 2], batch),
      data: await data({ x: FIVE, labels }),
    });
    expect(top1(result)).toBe(0.8);
    expect(result.fidelity).toMatchObject({ samples: 5, outputs: [{ maxAbs: 3, reference: 6 }] });
  });

  it('works for one sample and for constant data', async () => {
    const one = await measure({
      model: scaled([1, 1, 1]),
      data: await data({ x: floats([1, 3], [1, 2, 3]), labels: longs([1], [2]) }),
    });
    expect(one.metrics[0]).toMatchObject({ value: 1, samples: 1, interval: { high: 1 } });
    const zeros = await measure({
      model: scaled([1, 1, 1]),
      against: scaled([2, 1, 1]),
      data: await data({ x: floats([3, 3], new Array(9).fill(0)), labels: longs([3], [0, 0, 1]) }),
    });
    expect(top1(zeros)).toBeCloseTo(2 / 3, 12);
    expect(zeros.fidelity).toMatchObject({ outputs: [{ cosine: null, sqnrDb: null, maxAbs: 0 }] });
  });

  it('names the sample whose label is out of range', async () => {
    const request = { model: scaled([1, 1, 1]), data: await data({ x: FIVE, labels: longs([5], [0, 1, 2, 3, 2]) }) };
    await expect(measure(request)).rejects.toMatchObject({
      code: 'labels-invalid',
      message: expect.stringMatching(/label of 3 is 3.*0 to 2/),
    });
  });

  it('refuses class names that are more or fewer than the classes of the model', async () => {
    const table = (labels: readonly string[]): string =>
      join(
        writeFiles(temporaryFolder(), {
          'd.jsonl': labels.map((label) => JSON.stringify({ x: [1, 2, 3], label })).join('\n'),
        }),
        'd.jsonl',
      );
    for (const labels of [
      ['a', 'b', 'c', 'd'],
      ['a', 'b'],
    ]) {
      await expect(measure({ model: scaled([1, 1, 1]), data: table(labels) })).rejects.toMatchObject({
        code: 'labels-invalid',
        message: expect.stringContaining('labels.txt'),
      });
    }
    expect(top1(await measure({ model: scaled([1, 1, 1]), data: table(['a', 'b', 'c', 'c']) }))).toBe(0.5);
  });

  it('says what is missing', async () => {
    await expect(measure({ model: scaled([1, 1, 1]) })).rejects.toMatchObject({ code: 'data-missing' });
    await expect(measure({ model: scaled([1, 1, 1]), data: await data({ x: FIVE }) })).rejects.toMatchObject({
      code: 'labels-invalid',
    });
    await expect(
      measure({ model: scaled([1, 1, 1]), data: join(temporaryFolder(), 'none.npz') }),
    ).rejects.toMatchObject({ code: 'file-missing' });
  });

  it('counts answers that are no numbers as wrong, and stops when there is no other', async () => {
    const nan = Number.NaN;
    const some = floats([2, 3], [nan, 1, 2, 1, 3, 2]);
    const labels = longs([2], [2, 1]);
    expect(top1(await measure({ model: scaled([1, 1, 1]), data: await data({ x: some, labels }) }))).toBe(0.5);
    const both = await measure({
      model: scaled([1, Number.POSITIVE_INFINITY, 1]),
      against: scaled([1, 1, 1]),
      data: await data({ x: some, labels }),
    });
    expect(both.fidelity).toMatchObject({ outputs: [{ notFinite: 2 }] });
    expect(both.notes?.filter(({ code }) => code === 'outputs-not-finite')).toHaveLength(2);
    const all = await data({ x: floats([2, 3], new Array(6).fill(nan)), labels });
    await expect(measure({ model: scaled([1, 1, 1]), data: all })).rejects.toMatchObject({
      code: 'outputs-not-finite',
    });
    await expect(measure({ model: scaled([1, 1, 1]), against: scaled([1, 1, 1]), data: all })).rejects.toMatchObject({
      code: 'outputs-not-finite',
    });
  });

  it('measures two classes by their scores, and values by their errors', async () => {
    const single = model({
      nodes: [{ type: 'Identity', inputs: ['x'], outputs: ['y'] }],
      inputs: [{ name: 'x', shape: ['n', 1] }],
      outputs: [{ name: 'y', shape: ['n', 1] }],
    });
    const scores = floats([4, 1], [-2, 1, 0.5, 3]);
    const binary = await measure({ model: single, data: await data({ x: scores, labels: longs([4], [0, 0, 1, 1]) }) });
    expect(binary.metrics.find(({ name }) => name === 'auc')?.value).toBe(0.75);
    expect(top1(binary)).toBe(0.75);
    const values = await measure({
      model: single,
      data: await data({ x: scores, labels: floats([4], [-2.5, 1.5, 0.5, 3]) }),
    });
    expect(values.metrics.map(({ name, value }) => [name, value])).toEqual([
      ['rmse', Math.sqrt(0.125)],
      ['mae', 0.25],
    ]);
  });

  it('measures the perplexity of a model that reads on, and not of one that looks ahead', async () => {
    // A table of scores by token; the second model adds those of all tokens to each.
    const table = { name: 'table', shape: [4, 4], data: Float32Array.from({ length: 16 }, (_, index) => index % 5) };
    const axes = { name: 'axes', code: 7, shape: [1], data: BigInt64Array.of(1n) };
    const form = {
      inputs: [{ name: 'input_ids', code: 7, shape: ['n', 't'] }],
      outputs: [{ name: 'logits', shape: ['n', 't', 4] }],
      weights: [table, axes],
    };
    const look = { type: 'Gather', inputs: ['table', 'input_ids'], outputs: ['found'] };
    const causal = model({ ...form, nodes: [look, { type: 'Identity', inputs: ['found'], outputs: ['logits'] }] });
    const masked = model({
      ...form,
      nodes: [
        look,
        { type: 'ReduceSum', inputs: ['found', 'axes'], outputs: ['all'] },
        { type: 'Add', inputs: ['found', 'all'], outputs: ['logits'] },
      ],
    });
    const text = await data({ input_ids: longs([2, 4], [0, 1, 2, 3, 3, 2, 1, 0]) });
    const { metrics } = await measure({ model: causal, data: text });
    expect(metrics).toMatchObject([{ name: 'perplexity', samples: 2 }]);
    await expect(measure({ model: masked, data: text })).rejects.toMatchObject({ code: 'labels-invalid' });
  });

  it('says that no metric fits, and still compares', async () => {
    const request = {
      model: scaled([1, 1, 1]),
      data: await data({ x: FIVE, labels: floats([5, 2], new Array(10).fill(0.5)) }),
    };
    await expect(measure(request)).rejects.toMatchObject({ code: 'labels-invalid' });
    const compared = await measure({ ...request, against: scaled([1, 1, 2]) });
    expect(compared).toMatchObject({ metrics: [], fidelity: { samples: 5 } });
    expect(compared.notes?.map(({ code }) => code)).toContain('task-unknown');
  });

  it('stops between batches when it is cancelled', async () => {
    const seen: number[] = [];
    const context: JobContext = {
      log: () => undefined,
      progress: async ({ phase, done }) => {
        if (phase === 'evaluating') seen.push(done);
        if (done >= 32) throw new HoneError('cancelled', 'The job was cancelled.');
      },
    };
    const many = await data({
      x: floats([200, 3], new Array(600).fill(1)),
      labels: longs([200], new Array(200).fill(0)),
    });
    await expect(measure({ model: scaled([1, 1, 1]), data: many }, context)).rejects.toMatchObject({
      code: 'cancelled',
    });
    expect(seen).toEqual([0, 32]);
  });
});

describe.skipIf(!hasShared)('evaluate on real models', () => {
  const shared = (path: string): string => join(SHARED, 'models', path);
  const glyphs = { scale: 1 / 255, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

  it.each([
    ['glyphs-resnet', 1753],
    ['glyphs-mobilenetv2', 1725],
  ])('gives the accuracy of %s from a zip of pictures', async (name, right) => {
    const result = await measure({
      model: shared(`${name}/model.onnx`),
      data: shared('data/glyphs/test.zip'),
      preprocess: glyphs,
    });
    expect(top1(result)).toBe(right / 2000);
    expect(result.skipped).toEqual([]);
  });

  it.each(['npz', 'jsonl'])('gives the accuracy of langid-bert from %s', async (kind) => {
    const result = await measure({ model: shared('langid-bert/model.onnx'), data: shared(`data/langid/test.${kind}`) });
    expect(top1(result)).toBe(1723 / 2000);
  });

  it('gives the perplexity of tiny-llama', async () => {
    const result = await measure({ model: shared('tiny-llama/model.onnx'), data: shared('data/debtext/val.npz') });
    expect(result.metrics).toMatchObject([{ name: 'perplexity', samples: 64 }]);
    expect(result.metrics[0]?.value).toBeCloseTo(28.034, 2);
  });

  it('refuses the tokenizer of another model', async () => {
    const request = { model: shared('langid-bert/model.onnx'), data: shared('data/langid/test.jsonl') };
    await expect(
      measure({ ...request, preprocess: { tokenizer: shared('data/debtext/tokenizer.json') } }),
    ).rejects.toMatchObject({ code: 'data-mismatch' });
  });

  it('names the inputs that the data lacks', async () => {
    const request = { model: shared('langid-bert/model.onnx'), data: shared('data/debtext/val.npz') };
    await expect(measure(request)).rejects.toMatchObject({
      code: 'data-mismatch',
      message: expect.stringContaining("'attention_mask'"),
    });
  });
});
