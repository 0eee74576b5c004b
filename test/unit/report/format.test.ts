import { describe, expect, it } from 'vitest';
import * as format from '../../../native-workers/report/format.ts';

describe('numbers', () => {
  it.each([
    [format.formatMs(0.1234), '0.123 ms'],
    [format.formatMs(12.3456), '12.3 ms'],
    [format.formatMs(999.4), '999 ms'],
    [format.formatMs(1234), '1.23 s'],
    [format.formatMs(0), '0 ms'],
    [format.formatBytes(999), '999 B'],
    [format.formatBytes(3_729_132), '3.73 MB'],
    [format.formatBytes(-271_000), '\u2212271 kB'],
    [format.formatCount(1_234_567), '1,234,567'],
    [format.formatRatio(2.932), '2.93×'],
    [format.formatShare(0.708), '70.8 %'],
    [format.formatShare(0.99954), '99.95 %'],
    [format.formatShare(1), '100.0 %'],
    [format.formatShare(0), '0.0 %'],
    [format.formatShare(0.0001), 'below 0.1 %'],
    [format.formatPoints(-0.0025), '\u22120.25 points'],
    [format.formatPoints(0), '0.00 points'],
    [format.formatPoints(-0.000001), '0.00 points'],
    [format.formatChange(0.2667), '\u221273.3 %'],
    [format.formatChange(3.9), '+290 %'],
    [format.formatPlain(0.9999982), '0.9999982'],
    [format.formatPlain(1), '1.00000'],
    [format.formatPlain(0.999999999999), '> 0.9999999'],
    [format.formatPlain(-0.999999999999), '< \u22120.9999999'],
    [format.formatTimes(0.59), '1.69×'],
    [format.formatTimes(1.24), '1.24×'],
    [format.formatPlain(0.01234), '0.0123'],
    [format.formatProbability(0.00001), 'below 0.0001'],
    [format.formatProbability(0.00321), '0.0032'],
    [format.joinWords(['a', 'b', 'c']), 'a, b and c'],
    [format.plural(1, 'class', 'classes'), '1 class'],
  ])('%s is %s', (found, expected) => {
    expect(found).toBe(expected);
  });

  it('never shows a cosine below 1 as 1', () => {
    for (let power = 2; power <= 11; power++) expect(format.formatPlain(1 - 10 ** -power)).not.toMatch(/^1/);
  });

  it('names its unit for every unit', () => {
    const units = ['ms', 'bytes', 'ratio', 'share', 'points', 'dB', 'count', 'runs/s', '1'] as const;
    expect(units.map((unit) => format.formatNumber(2, unit))).toEqual([
      '2.00 ms',
      '2 B',
      '2.00×',
      '200.00 %',
      '200.00 points',
      '2.00 dB',
      '2',
      '2.00 runs/s',
      '2.000',
    ]);
  });

  it('writes values so that the change beside them is their difference', () => {
    expect([0.8765, 0.876].map((value) => format.formatNumber(value, 'share'))).toEqual(['87.65 %', '87.60 %']);
    expect([28.0335, 28.1223].map((value) => format.formatNumber(value, '1'))).toEqual(['28.03', '28.12']);
    expect(format.formatDelta(0.0888, '1')).toBe('+0.0888');
    expect(format.formatDelta(-0.95, '1')).toBe('−0.950');
    // A cosine.
    expect(format.formatNumber(0.99995, '1')).toBe('0.999950');
  });

  it('gives both ends of a range the same decimals', () => {
    expect(format.formatRange({ low: 0.908, high: 0.991 }, 'share')).toBe('90.80 to 99.10 %');
    expect(format.formatRange({ low: 25.03, high: 31.98 }, '1')).toBe('25.0 to 32.0');
  });
});
