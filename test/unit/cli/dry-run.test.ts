import { describe, expect, it } from 'vitest';
import { planRun } from '../../../native-workers/cli/dry-run.ts';
import { findPreset } from '../../../native-workers/passes/presets.ts';
import { recommendPreset } from '../../../native-workers/passes/recommend.ts';
import type { InspectFacts } from '../../../native-workers/protocol/facts.ts';
import type { RunRequest } from '../../../native-workers/protocol/request.ts';
import { INSPECT_FACTS } from '../../helpers/worker-facts.ts';

const TRANSFORMER: InspectFacts = {
  ...INSPECT_FACTS,
  bytes: { total: 1_010_000, weights: 1_000_000 },
  operators: { MatMul: 12, Gather: 2, Identity: 3 },
  precision: { float32: 1_000_000 },
  bytesByOperator: { MatMul: 700_000, Gather: 300_000 },
  macs: 8e6,
};

const request = (preset: string, changes: Partial<RunRequest> = {}): RunRequest => ({
  model: '/m.onnx',
  recipe: findPreset(preset),
  seed: 0,
  benchmark: {},
  budgets: {},
  ...changes,
});

const ROOM = { memory: 8e9, disk: 8e9 };

describe('a dry run', () => {
  it('counts each weight once', () => {
    const plan = planRun(request('int8-dynamic'), TRANSFORMER, null, ROOM);
    const bytes = plan.passes.map(({ pass, weightBytesBefore, weightBytesAfter }) => [
      pass,
      weightBytesBefore,
      weightBytesAfter,
    ]);
    expect(bytes).toEqual([
      ['clean', 0, 0],
      ['quantize-dynamic', 700_000, 175_000],
      ['quantize-weights-int8', 300_000, 75_000],
    ]);
    expect(plan.size).toEqual({ before: 1_010_000, after: 260_000 });
    expect(plan.passes[0]?.text).toContain('3 Identity');
  });

  it('takes half for float16, and nothing of what is no float', () => {
    const half = planRun(request('float16'), TRANSFORMER, null, ROOM);
    expect(half.size.after).toBe(510_000);
    const integers = { ...TRANSFORMER, precision: { int8: 1_000_000 } };
    expect(planRun(request('float16'), integers, null, ROOM).size.after).toBe(1_010_000);
  });

  it('needs more for what is larger or measured longer', () => {
    const small = planRun(request('float16'), TRANSFORMER, null, ROOM);
    const large = { ...TRANSFORMER, bytes: { total: 4e9, weights: 4e9 }, macs: 8e12 };
    const big = planRun(request('float16'), large, null, ROOM);
    expect(big.memory.value).toBeGreaterThan(small.memory.value + 7e9);
    expect(big.disk.value).toBeGreaterThan(4e9);
    expect(big.time.value).toBeGreaterThan(small.time.value + 10_000);
    const long = planRun(request('float16', { benchmark: { seconds: 120, threads: [1, 2] } }), TRANSFORMER, null, ROOM);
    expect(long.time.value - small.time.value).toBeCloseTo(240_000 - 20_000, 0);
  });

  it('says when multiply-adds are not known', () => {
    expect(planRun(request('clean'), { ...TRANSFORMER, macs: null }, null, ROOM).time.basis).toContain('not known');
  });
});

describe('the preset without a choice', () => {
  it.each([
    [{ quantized: true }, false, 'clean'],
    [{}, false, 'int8-dynamic'],
    [{ bytesByOperator: { Conv: 700_000, MatMul: 300_000 } }, false, 'int8-weights'],
    [{ bytesByOperator: {} }, false, 'int8-weights'],
  ])('of %j with calibration %s is %s', (changes, calibrated, name) => {
    const { preset, reason } = recommendPreset({ ...TRANSFORMER, ...changes }, calibrated);
    expect(preset.name).toBe(name);
    expect(reason).not.toBe('');
  });

  it('with calibration data uses it', () => {
    const { preset } = recommendPreset(TRANSFORMER, true);
    expect(preset.steps.map(({ pass }) => pass)).toContain('quantize-static');
  });
});
