import { describe, expect, it } from 'vitest';
import { quantization } from '../../../../native-workers/report/sections/quantization.ts';
import { goldenInput } from '../../../helpers/report-runs.ts';

async function sectionFor(details: Record<string, unknown> | undefined) {
  const input = structuredClone(await goldenInput('mobilenet-int8'));
  for (const pass of input.facts.optimize?.passes ?? []) {
    if (pass.pass === 'quantize-static' && details !== undefined) pass.details = details;
    else delete pass.details;
  }
  return quantization.build(input);
}

describe('quantization', () => {
  it('reads layers named by node and by weight, the largest error first', async () => {
    const outcome = await sectionFor({
      quantization: [
        {
          node: 'a',
          operator: 'Conv',
          input: {
            value: 'x',
            min: -1,
            max: 1,
            scale: 0.1,
            zeroPoint: 3,
            kept: { min: -0.3, max: 0.9 },
            clipped: 0.25,
            method: 'mse',
            histogram: [1],
          },
          weightError: 0.01,
          weights: 9,
          sqnrDb: 40,
        },
        { name: 'b', operator: 'MatMul', shape: [2, 2], error: 0.02 },
      ],
    });
    expect(outcome.status === 'measured' && outcome.data.passes).toEqual([
      {
        pass: 'quantize-static',
        title: 'Static INT8',
        layers: [
          {
            node: 'b',
            operator: 'MatMul',
            value: null,
            input: null,
            kept: null,
            weightError: 0.02,
            clipped: null,
            method: null,
            sqnrDb: null,
            histogram: null,
          },
          {
            node: 'a',
            operator: 'Conv',
            value: 'x',
            input: { min: -1, max: 1, scale: 0.1, zeroPoint: 3 },
            kept: { min: -0.3, max: 0.9 },
            weightError: 0.01,
            clipped: 0.25,
            method: 'mse',
            sqnrDb: 40,
            histogram: [1],
          },
        ],
      },
    ]);
  });

  it('reads what a search measured', async () => {
    const outcome = await sectionFor({
      quantization: [{ node: 'a', operator: 'Conv' }],
      sensitivity: [
        { node: 'a', operator: 'Conv', alone: 0.1, among: 0.2, gainMs: null, float: false },
        { node: 'b', operator: 'Conv', alone: 0.5, among: 0.4, gainMs: 2, float: true },
      ],
      search: [
        { float: ['b'], ms: 3, bytes: 100, metric: 'top-1', drop: 0.5, chosen: true },
        { float: ['all layers'], ms: 6, bytes: 400, metric: 'top-1', drop: 0, chosen: false },
      ],
      layers: [
        { node: 'a', operator: 'Conv', after: [] },
        { node: 'b', operator: 'Conv', after: [0, 9] },
      ],
    });
    if (outcome.status !== 'measured') throw new Error('A layer was quantized.');
    expect(outcome.data.sensitivity.map(({ node }) => node)).toEqual(['b', 'a']);
    expect(outcome.data.search).toEqual([
      { float: 1, ms: 3, bytes: 100, metric: 'top-1', drop: 0.5, chosen: true },
      { float: null, ms: 6, bytes: 400, metric: 'top-1', drop: 0, chosen: false },
    ]);
    expect(outcome.data.graph).toEqual([
      { node: 'a', operator: 'Conv', after: [] },
      { node: 'b', operator: 'Conv', after: [0] },
    ]);
  });

  it('keeps what a search measured that changed nothing', async () => {
    const point = { float: [], ms: 3, bytes: 100, metric: 'top-1', drop: 9, chosen: false };
    const outcome = await sectionFor({ search: [point] });
    expect(outcome.status === 'measured' && outcome.data).toMatchObject({
      passes: [],
      search: [{ float: 0, drop: 9 }],
    });
  });

  it('says what stays float, and why', async () => {
    const input = structuredClone(await goldenInput('mobilenet-int8'));
    for (const pass of input.facts.optimize?.passes ?? []) {
      if (pass.pass === 'quantize-static') {
        pass.notes = [
          { node: 'head', message: 'stays float: it has 12 weights' },
          { node: 'tail', message: 'was looked at' },
        ];
        pass.details = { quantization: [{ node: 'a', operator: 'Conv' }] };
      } else delete pass.details;
    }
    const left = [{ node: 'head', reason: 'it has 12 weights' }];
    expect(quantization.build(input)).toMatchObject({ data: { left } });
    // Where it quantized nothing a pass has no details.
    for (const pass of input.facts.optimize?.passes ?? []) delete pass.details;
    expect(quantization.build(input)).toMatchObject({ data: { passes: [], left } });
  });

  it('is not applicable where nothing was quantized', async () => {
    expect((await sectionFor(undefined)).status).toBe('not-applicable');
    expect((await sectionFor({ other: 1 })).status).toBe('not-applicable');
  });
});
