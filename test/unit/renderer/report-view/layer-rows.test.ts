import { describe, expect, it } from 'vitest';
import type { QuantizationSection } from '../../../../native-workers/report/sections/quantization.ts';
import { byHarm, layerRows, shortName } from '../../../../renderer/report-view/layer-rows.ts';

const layer = (node: string, weightError: number) => ({
  node,
  operator: 'Conv',
  value: 'x',
  input: null,
  kept: null,
  weightError,
  clipped: null,
  method: null,
  sqnrDb: null,
  histogram: null,
});

const SECTION: QuantizationSection = {
  passes: [{ pass: 'quantize-search', title: 'Search', layers: [layer('b', 0.02), layer('a', 0.01)] }],
  left: [],
  graph: [
    { node: 'a', operator: 'Conv', after: [] },
    { node: 'b', operator: 'Conv', after: [0] },
    { node: 'c', operator: 'Conv', after: [1] },
  ],
  sensitivity: [
    { node: 'c', operator: 'Conv', alone: 5, gainMs: 0.5, float: true },
    { node: 'a', operator: 'Conv', alone: 3, gainMs: null, float: false },
    { node: 'b', operator: 'Conv', alone: 1, gainMs: 2, float: false },
  ],
  search: [],
};

describe('layerRows', () => {
  it('joins plan, quantizer and search in the order of the graph', () => {
    const { measure, rows } = layerRows(SECTION);
    expect(measure).toBe('outputs');
    expect(rows.map(({ node, harm, isFloat, facts }) => [node, harm, isFloat, facts?.weightError ?? null])).toEqual([
      ['a', 3, false, 0.01],
      ['b', 1, false, 0.02],
      ['c', 5, true, null],
    ]);
    expect(byHarm(rows)).toEqual([2, 0, 1]);
  });

  it('shows the error of the weights where nothing was searched', () => {
    const { measure, rows } = layerRows({ ...SECTION, sensitivity: [], graph: [] });
    expect(measure).toBe('weights');
    expect(rows.map(({ node, harm, isFloat, after }) => [node, harm, isFloat, after.length])).toEqual([
      ['b', 0.02, false, 0],
      ['a', 0.01, false, 0],
    ]);
  });

  it('prefers the expected error of the sums to that of the weights', () => {
    const layers = [{ ...layer('a', 0.01), sqnrDb: 20 }, layer('b', 0.02)];
    const passes = [{ pass: 'quantize-static', title: 'Static', layers }];
    const { measure, rows } = layerRows({ ...SECTION, passes, sensitivity: [], graph: [] });
    expect(measure).toBe('noise');
    expect(rows.map(({ harm }) => harm)).toEqual([0.1, null]);
  });
});

describe('shortName', () => {
  it('drops what names of exported modules say twice, and nothing else', () => {
    const short = (node: string, operator = 'Conv') => shortName({ node, operator });
    expect(short('/features/features.2/conv/conv.0/conv.0.0/Conv')).toBe('features.2/conv.0.0');
    expect(short('/layer1/layer1.0/conv1/Conv_1')).toBe('layer1.0/conv1/Conv_1');
    expect(short('/Conv')).toBe('Conv');
    expect(short('block2_expand/Conv2D')).toBe('block2_expand/Conv2D');
    expect(short('MatMul -> y', 'MatMul')).toBe('MatMul -> y');
  });
});
