import { describe, expect, it } from 'vitest';
import {
  formatBytes,
  formatElapsed,
  formatMs,
  formatPoints,
  formatRatio,
  formatShort,
  formatSpeed,
  formatWhen,
} from '../../../../renderer/text/format.ts';

describe('numbers on the screen', () => {
  it.each([
    [null, '–'],
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.00 kB'],
    [1_644_480, '1.64 MB'],
    [7e9, '7.00 GB'],
  ])('writes %o bytes', (bytes, text) => expect(formatBytes(bytes)).toBe(text));

  it.each([
    [0.4123, '0.412 ms'],
    [12.44, '12.4 ms'],
    [840, '840 ms'],
    [6720, '6.72 s'],
    [null, '–'],
  ])('writes %o milliseconds', (ms, text) => expect(formatMs(ms)).toBe(text));

  it.each([
    [0, '0 s'],
    [59_999, '59 s'],
    [127_000, '2:07 min'],
    [3_727_000, '1:02:07 h'],
    [-5, '0 s'],
  ])('writes %o milliseconds that passed', (ms, text) => expect(formatElapsed(ms)).toBe(text));

  it('never shows a sign for nothing', () => {
    expect(formatPoints(-0.000_001)).toBe('±0.00 pp');
    expect(formatPoints(-0.0035)).toBe('−0.35 pp');
  });

  it('shortens large counts', () => {
    expect([formatShort(999), formatShort(409_620), formatShort(7.2e9)]).toEqual(['999', '410 k', '7.20 G']);
    expect(formatSpeed(1.7, 1, 'faster')).toBe('1.70×');
    expect(formatSpeed(1, 1.24, 'slower')).toBe('1.24×');
    expect(formatSpeed(2, 1.96, 'inconclusive')).toBe('1.02×');
    expect(formatSpeed(0, 1, null)).toBe('–');
    expect([formatRatio(0.274), formatRatio(12.34), formatRatio(null)]).toEqual(['0.27×', '12.3×', '–']);
  });

  it('says the day only when it is another', () => {
    const now = new Date(2026, 2, 4, 18, 0).getTime();
    expect(formatWhen(new Date(2026, 2, 4, 9, 5).toISOString(), now)).toBe('today 09:05');
    expect(formatWhen(new Date(2026, 1, 28, 9, 5).toISOString(), now)).toBe('28 Feb 09:05');
    expect(formatWhen(new Date(2025, 1, 28, 9, 5).toISOString(), now)).toBe('28 Feb 2025');
    expect(formatWhen('not a date', now)).toBe('not a date');
  });
});
