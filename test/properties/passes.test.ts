/** Whatever passes are applied in whatever order, the graph stays valid, and lossless ones change no answer. */
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readOnnx } from '../../native-workers/formats/onnx/read.ts';
import { onnxBytes } from '../../native-workers/formats/onnx/write.ts';
import { cloneModel } from '../../native-workers/graph/clone.ts';
import { hashModel } from '../../native-workers/graph/hash.ts';
import type { Model } from '../../native-workers/graph/model.ts';
import { tensorFromFloat32, tensorFromInt64 } from '../../native-workers/graph/tensor-values.ts';
import { tensorType } from '../../native-workers/graph/types.ts';
import { validate } from '../../native-workers/graph/validate.ts';
import type { Value } from '../../native-workers/graph/value.ts';
import { completeOptions } from '../../native-workers/passes/options.ts';
import type { Pass } from '../../native-workers/passes/pass.ts';
import { PASSES } from '../../native-workers/passes/registry.ts';
import { toHoneError } from '../../native-workers/protocol/errors.ts';
import { conformanceFolder, conformanceTests } from '../helpers/conformance.ts';
import { ModelBuilder } from '../helpers/models.ts';
import { calibrationOf, engine, normal, passContext, relativeDifference, runModel } from '../helpers/passes.ts';
import { hasShared } from '../helpers/shared.ts';

const SIZE = 8;

/** One step of a random graph: an operator on the last value, or on two of the values so far. */
interface Step {
  readonly kind: number;
  readonly other: number;
  readonly public: boolean;
}

/** Products (4) and norms (8) come oftener, as they have something to do with what is beside them. */
const kinds = fc.oneof({ weight: 3, arbitrary: fc.nat(15) }, { weight: 2, arbitrary: fc.constantFrom(4, 8) });
const step = fc.record({
  kind: kinds,
  other: fc.nat(20),
  public: fc.integer({ min: 0, max: 9 }).map((die) => die === 0),
});
const steps = fc.array(step, { minLength: 1, maxLength: 14 });

/** A graph over [2, 8] values that holds what the passes look for: no-ops, constants, norms, products, twins, unknown parts. */
function randomModel(plan: readonly Step[]): Model {
  const build = new ModelBuilder('random', plan.length);
  const values: Value[] = [build.input('x', [2, SIZE])];
  const ints = (name: string, ...list: number[]) =>
    build.graph.addInitializer(name, tensorFromInt64(list, [list.length]));
  const vector = (name: string, of: number) =>
    build.graph.addInitializer(name, tensorFromFloat32(new Float32Array(SIZE).fill(of), [SIZE]));
  plan.forEach(({ kind, other, public: isPublic }, index) => {
    const name = `v${index}`;
    const last = values.at(-1) as Value;
    const second = values[other % values.length] as Value;
    const make = [
      () => build.op('Relu', [last], name),
      () => build.op('Identity', [last], name),
      () => build.op('Add', [last, second], name),
      () => build.op('MatMul', [last, build.weight(`${name}_w`, [SIZE, SIZE])], name),
      () =>
        build.op('Gemm', [last, build.weight(`${name}_w`, [SIZE, SIZE]), build.weight(`${name}_b`, [SIZE])], name, {
          transB: 1,
        }),
      () => build.op('Mul', [last, build.op('Neg', [vector(`${name}_c`, 0.5)], `${name}_n`)], name),
      () =>
        build.op(
          'Reshape',
          [build.op('Reshape', [last, ints(`${name}_s`, SIZE, 2)], `${name}_r`), ints(`${name}_t`, 2, SIZE)],
          name,
        ),
      () =>
        build.op('Transpose', [build.op('Transpose', [last], `${name}_t`, { perm: [1, 0] })], name, { perm: [1, 0] }),
      () =>
        build.op(
          'BatchNormalization',
          [
            last,
            vector(`${name}_g`, 1.5),
            vector(`${name}_b`, 0.1),
            vector(`${name}_m`, 0.2),
            vector(`${name}_v`, 0.9),
          ],
          name,
        ),
      () => build.op('Dropout', [last], name),
      () => build.op('Softmax', [last], name, { axis: -1 }),
      () => build.op('Concat', [last], name, { axis: 0 }),
      () => build.op('Cast', [build.op('Cast', [last], `${name}_d`, { to: 11 })], name, { to: 1 }),
      () => build.op('Pad', [last, ints(`${name}_p`, 0, 0, 0, 0)], name),
      () => build.op('Sub', [last, vector(`${name}_same`, 0.25)], name),
      () => build.op('Tanh', [second], name),
    ][kind];
    const value = make?.();
    if (value === undefined) return;
    values.push(value);
    if (isPublic) build.outputs(value);
  });
  const last = values.at(-1) as Value;
  if (!build.graph.outputs.includes(last) && last.producer !== null) build.outputs(last);
  for (const output of build.graph.outputs) output.type = tensorType('float32', [2, SIZE]);
  return build.model();
}

/** Those that need no judgement of candidates, and so run anywhere. */
const RUNNABLE = PASSES.filter(({ needs }) => !needs.includes('trial'));
const LOSSLESS = RUNNABLE.filter(({ lossy }) => !lossy);
const sequences = fc.oneof(
  fc.array(fc.constantFrom(...LOSSLESS), { minLength: 1, maxLength: 4 }),
  fc.array(fc.constantFrom(...RUNNABLE), { minLength: 1, maxLength: 4 }),
);

/** Small limits, so that small graphs are worth it. */
const LIMITS: Readonly<Record<string, Record<string, unknown>>> = {
  'quantize-dynamic': { minimumWeights: 0 },
  'quantize-weights-int8': { minimumWeights: 0 },
  float16: { minElements: 1 },
  'share-weights': { minBytes: 0 },
};

/** Errors that say of a model that the pass is not for it. */
const REFUSALS = new Set(['model-already-quantized', 'runtime-rejected-model', 'runtime-failed', 'data-mismatch']);

/** Applies the passes as a recipe would; returns the model, and whether a lossy pass changed it. */
async function applyAll(source: Model, passes: readonly Pass[], feeds: Parameters<typeof runModel>[1]) {
  let model = source;
  let lossy = false;
  const earlier: string[] = [];
  for (const pass of passes) {
    const copy = cloneModel(model).model;
    const context = passContext({ earlier: [...earlier], calibration: calibrationOf([feeds]) });
    try {
      const outcome = await pass.run(copy, completeOptions(pass, LIMITS[pass.id]), context);
      validate(copy);
      if (outcome.status !== 'changed') continue;
    } catch (thrown) {
      const error = toHoneError(thrown);
      if (REFUSALS.has(error.code)) continue;
      throw thrown;
    }
    model = copy;
    earlier.push(pass.id);
    lossy ||= pass.lossy;
  }
  return { model, lossy };
}

describe('any passes in any order', () => {
  it('leave random graphs valid, runnable and near to what they were', async () => {
    const feeds = { x: normal([2, SIZE], 3) };
    await fc.assert(
      fc.asyncProperty(steps, sequences, async (plan, passes) => {
        const source = randomModel(plan);
        const before = hashModel(source);
        const expected = await runModel(source, feeds);
        const { model, lossy } = await applyAll(source, passes, feeds);
        expect(hashModel(source)).toBe(before);
        const actual = await runModel(model, feeds);
        expect(Object.keys(actual)).toEqual(Object.keys(expected));
        for (const [name, tensor] of Object.entries(expected)) {
          expect(actual[name]?.shape).toEqual(tensor.shape);
          expect(relativeDifference(tensor, actual[name])).toBeLessThan(lossy ? 0.25 : 1e-5);
        }
      }),
      { numRuns: 120, seed: 20240607 },
    );
  });
});

describe.skipIf(!hasShared)('any passes on operator tests', () => {
  it('leave the graph valid, and one that the engine takes', async () => {
    const names = conformanceTests().filter((_, index) => index % 16 === 5);
    expect(names.length).toBeGreaterThan(100);
    const failures: string[] = [];
    for (const [index, name] of names.entries()) {
      const source = readOnnx(join(conformanceFolder(), name, 'model.onnx'));
      const passes = [0, 1, 2].map((step) => RUNNABLE[(index * 7 + step * 3) % RUNNABLE.length] as Pass);
      const opens = async (model: Model): Promise<string> =>
        engine.open(onnxBytes(model)).then(
          async (session) => session.release().then(() => 'opens'),
          (thrown: unknown) => String(thrown),
        );
      try {
        const { model } = await applyAll(source, passes, {});
        if ((await opens(source)) === 'opens' && (await opens(model)) !== 'opens') {
          failures.push(`${name} after ${passes.map(({ id }) => id)}: ${await opens(model)}`);
        }
      } catch (thrown) {
        failures.push(`${name} after ${passes.map(({ id }) => id)}: ${thrown}`);
      }
    }
    expect(failures).toEqual([]);
  });
});
