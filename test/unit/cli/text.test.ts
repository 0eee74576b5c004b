import { describe, expect, it } from 'vitest';
import { duration, pairs, plain, shortCount, table } from '../../../native-workers/cli/text.ts';

describe('duration', () => {
  it('takes the unit that fits', () => {
    expect([0.32, 4.213, 999, 12_500, 200_000].map(duration)).toEqual([
      '320 µs',
      '4.21 ms',
      '999 ms',
      '12.5 s',
      '3 min 20 s',
    ]);
  });
});

describe('shortCount', () => {
  it('shortens large counts only', () => {
    expect([7, 215_300, 3_504_872, 4.1e9].map(shortCount)).toEqual(['7', '215 k', '3.50 M', '4.10 G']);
  });
});

describe('table', () => {
  it('aligns columns and leaves no trailing blanks', () => {
    const text = table(
      [{ title: 'name' }, { title: 'runs', align: 'right' }],
      [
        ['a', '10'],
        ['longer', '9'],
      ],
    );
    expect(text.split('\n')).toEqual(['name    runs', '------  ----', 'a         10', 'longer     9']);
  });

  it('has no head without titles', () => {
    expect(
      pairs([
        ['format', 'onnx'],
        ['n', ''],
      ]),
    ).toBe('format  onnx\nn');
  });
});

describe('plain', () => {
  it('disarms escape sequences and turned text, but keeps lines', () => {
    expect(plain('a\u001b[31m\nb\u202e')).toBe('a[U+001B][31m\nb[U+202E]');
  });
});
