import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blockPoints, blockTimeline } from '../../../../renderer/charts/block-timeline.ts';
import { groupedBars } from '../../../../renderer/charts/grouped-bars.ts';
import { areApart, binsFor, histogram, latencyDistribution } from '../../../../renderer/charts/latency-distribution.ts';
import { quantile, sortedCopy } from '../../../../renderer/charts/quantile.ts';
import { ratioInterval } from '../../../../renderer/charts/ratio-interval.ts';
import { frontOf, nameOf, searchFront } from '../../../../renderer/charts/search-front.ts';
import { sizeLedger, sizeParts } from '../../../../renderer/charts/size-ledger.ts';
import { sustainedCurve } from '../../../../renderer/charts/sustained-curve.ts';
import { type ChartTheme, short } from '../../../../renderer/charts/theme.ts';
import { valueHistogram } from '../../../../renderer/charts/value-histogram.ts';

const THEME: ChartTheme = {
  text: '#111111',
  textMuted: '#222222',
  grid: '#333333',
  border: '#444444',
  surface: '#555555',
  before: '#666666',
  after: '#777777',
  better: '#888888',
  worse: '#999999',
  neutral: '#aaaaaa',
  palette: ['#b1b1b1', '#b2b2b2'],
  font: 'sans-serif',
};

const times = fc.array(fc.double({ min: 0.01, max: 1e5, noNaN: true }), { minLength: 1, maxLength: 200 });

describe('quantile', () => {
  it('interpolates between neighbours', () => {
    expect(quantile([1, 2, 3, 4], 0.5)).toBe(2.5);
    expect(quantile([7], 0.95)).toBe(7);
    expect(quantile([], 0.5)).toBeNaN();
  });
});

describe('histogram', () => {
  it('counts every sample once, also those beyond the bins', () => {
    fc.assert(
      fc.property(times, times, (one, other) => {
        const bins = binsFor([one, other]);
        expect(bins.width).toBeGreaterThan(0);
        for (const samples of [one, other]) {
          const shares = histogram(samples, bins);
          expect(shares).toHaveLength(bins.count);
          expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1);
        }
      }),
    );
  });

  it('puts samples where they belong', () => {
    expect(histogram([1, 1.5, 2.5, 99], { start: 1, width: 1, count: 3 })).toEqual([0.5, 0.25, 0.25]);
  });

  it('is not squeezed by one stray run', () => {
    const samples = [...Array.from({ length: 200 }, (_, index) => 10 + (index % 10) / 10), 5000];
    const { start, width, count } = binsFor([samples]);
    expect(start + width * count).toBeLessThan(20);
  });
});

describe('latencyDistribution', () => {
  const near = { label: 'Before', samples: [10, 11, 12, 13] };

  it('overlays what meets and parts what is far apart', () => {
    const faster = { label: 'After', samples: [1, 1.1, 1.2, 1.3] };
    expect(areApart(near.samples, faster.samples)).toBe(true);
    expect(latencyDistribution(near, faster, THEME).xAxis).toHaveLength(2);
    const similar = { label: 'After', samples: [11, 12, 13, 14] };
    expect(areApart(near.samples, similar.samples)).toBe(false);
    expect(latencyDistribution(near, similar, THEME).xAxis).toHaveLength(1);
  });

  it('names the quantiles of the samples, with an arrow where they are beyond the plot', () => {
    const tail = [...Array.from({ length: 90 }, () => 10), ...Array.from({ length: 10 }, () => 1000)];
    const text = JSON.stringify(latencyDistribution(near, { label: 'After', samples: tail }, THEME));
    expect(text).toContain('p50 11.5 ms');
    expect(text).toContain('p95 1.00 s →');
  });
});

describe('blockTimeline', () => {
  const order = [0, 1, 1, 0, 2, 0];

  it('places each block where the order has it, against the median of its variant', () => {
    expect(blockPoints({ label: 'a', variant: 0, blocks: [[10], [20], [40]] }, order)).toEqual([
      { position: 1, ratio: 0.5 },
      { position: 4, ratio: 1 },
      { position: 6, ratio: 2 },
    ]);
    expect(blockPoints({ label: 'b', variant: 1, blocks: [[], [5]] }, order)).toEqual([{ position: 3, ratio: 1 }]);
  });

  it('spans the blocks of its two variants only', () => {
    const option = blockTimeline(
      [
        { label: 'a', variant: 1, blocks: [[1], [1]] },
        { label: 'b', variant: 2, blocks: [[1]] },
      ],
      order,
      THEME,
    );
    expect(option.xAxis).toMatchObject({ min: 1, max: 6 });
  });
});

describe('sizeParts', () => {
  it('add up to the files, with the types of either side', () => {
    const before = { structure: 5, byDtype: [{ dtype: 'float32', bytes: 100 }] };
    const after = {
      structure: 9,
      byDtype: [
        { dtype: 'int8', bytes: 25 },
        { dtype: 'float32', bytes: 3 },
      ],
    };
    const parts = sizeParts(before, after);
    expect(parts).toEqual([
      { name: 'float32', before: 100, after: 3 },
      { name: 'int8', before: 0, after: 25 },
      { name: 'graph', before: 5, after: 9 },
    ]);
    expect(sizeParts(before, null).map((part) => part.after)).toEqual([0, 0]);
  });
});

describe('every chart', () => {
  const samples = { label: 'x', samples: [1, 2, 3] };
  const ratio = { value: 0.5, low: 0.4, high: 0.6, confidence: 0.95, verdict: 'faster' as const };
  const options = {
    distribution: latencyDistribution(samples, samples, THEME),
    timeline: blockTimeline(
      [
        { label: 'a', variant: 0, blocks: [[1]] },
        { label: 'b', variant: 1, blocks: [[1]] },
      ],
      [0, 1],
      THEME,
    ),
    ratio: ratioInterval([{ label: 'cpu', ratio }], THEME),
    size: sizeLedger([{ name: 'float32', before: 1, after: 2 }], THEME),
    bars: groupedBars([{ name: 'Conv', before: 1, after: null }], { title: 'ms', format: String }, THEME),
    sustained: sustainedCurve({ label: 'a', points: [{ second: 1, median: 2 }] }, { label: 'b', points: [] }, THEME),
  };

  it.each(Object.entries(options))(
    '%s uses colours of the theme only, stands still, and has no HTML tooltip',
    (_, option) => {
      expect(option.animation).toBe(false);
      const tooltip = Array.isArray(option.tooltip) ? option.tooltip[0] : option.tooltip;
      // Only a tooltip that is switched off needs no mode.
      if (tooltip?.show !== false) expect(tooltip?.renderMode).toBe('richText');
      const known = new Set([...Object.values(THEME).flat(), 'transparent']);
      for (const [color] of JSON.stringify(option).matchAll(/#[0-9a-f]{3,8}\b|rgb\([^)]*\)/gi))
        expect(known).toContain(color);
    },
  );
});

describe('short', () => {
  it('cuts between characters and not within', () => {
    expect(short('🦊'.repeat(40))).toBe(`${'🦊'.repeat(27)}…`);
    expect(short('Conv')).toBe('Conv');
    expect(sortedCopy([3, 1, 2])).toEqual([1, 2, 3]);
  });
});

describe('the front of a search', () => {
  const mark = (float: number | null, drop: number, ms: number, chosen = false) => ({
    float,
    drop,
    ms,
    bytes: 100,
    metric: 'top-1',
    chosen,
  });

  it('holds what no other beats in both loss and time', () => {
    const points = fc.array(fc.record({ drop: fc.nat(9), ms: fc.nat(9) }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(points, (marks) => {
        const front = frontOf(marks);
        const beaten = (one: { drop: number; ms: number }): boolean =>
          marks.some(({ drop, ms }) => drop <= one.drop && ms <= one.ms && (drop < one.drop || ms < one.ms));
        expect(front.filter(beaten)).toEqual([]);
        for (const one of marks.filter((each) => !beaten(each))) {
          expect(front).toContainEqual(one);
        }
      }),
    );
  });

  it('marks the chosen and the float model by their own shapes, each once', () => {
    const option = searchFront([mark(0, 1, 2), mark(3, 0.5, 3, true), mark(null, 0, 9)], 1, THEME);
    const series = (option.series as { name: string; symbol?: string; data: unknown[] }[]).slice(1);
    expect(series.map(({ name, symbol, data }) => [name, symbol, data.length])).toEqual([
      ['Mixed models', 'circle', 1],
      ['Float', 'rect', 1],
      ['Chosen', 'diamond', 1],
    ]);
    expect([mark(0, 0, 1), mark(1, 0, 1), mark(2, 0, 1), mark(null, 0, 1)].map(nameOf)).toEqual([
      'all layers INT8',
      '1 layer float',
      '2 layers float',
      'the float model',
    ]);
  });
});

describe('the histogram of an activation', () => {
  it('has a bar in the middle of each bin, and room for the codes beyond', () => {
    const option = valueHistogram({ counts: [0, 99, 9], min: 0, max: 3, kept: { min: -1, max: 2 } }, THEME);
    expect(option.xAxis).toMatchObject({ min: -1, max: 3 });
    const [bars] = option.series as { data: { value: [number, number] }[] }[];
    expect(bars?.data.map(({ value }) => value)).toEqual([
      [0.5, 0],
      [1.5, 2],
      [2.5, 1],
    ]);
  });
});
