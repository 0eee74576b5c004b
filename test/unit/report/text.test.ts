import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { csvField, escapeHtml, escapeMarkdown, fencedBlock, visible } from '../../../native-workers/report/text.ts';

const anyText = fc.string({ unit: 'binary' });

describe('names of others', () => {
  it('show what is invisible or turns the direction', () => {
    expect(visible('a\u202eb\u0000c\u2028d\u200fe')).toBe('a[U+202E]b[U+0000]c[U+2028]d[U+200F]e');
    expect(visible('深い 🦊 עברית')).toBe('深い 🦊 עברית');
    expect(visible('\ud800')).toBe('\ufffd');
  });

  it('cannot become markup', () => {
    expect(escapeHtml('</script><img src=x onerror="alert(1)">')).toBe(
      '&lt;/script&gt;&lt;img src=x onerror=&quot;alert(1)&quot;&gt;',
    );
    fc.assert(
      fc.property(anyText, (text) => {
        expect(escapeHtml(text)).not.toMatch(/[<>"'\n]/);
      }),
    );
  });

  it('cannot become Markdown', () => {
    expect(escapeMarkdown('a|b`c`*d*<img>[x](y)')).toBe('a\\|b\\`c\\`\\*d\\*&lt;img&gt;\\[x\\](y)');
    fc.assert(
      fc.property(anyText, (text) => {
        expect(escapeMarkdown(text)).not.toMatch(/(^|[^\\])[|`*]|[<>\n]/);
      }),
    );
  });

  it('cannot leave a fenced block', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[`a\n]*$/), (text) => {
        const [fence = ''] = /^`+/.exec(fencedBlock('', text)) ?? [];
        expect(text).not.toContain(fence);
      }),
    );
  });

  it('are one field of CSV and no formula', () => {
    expect(csvField('=HYPERLINK("x")')).toBe('"\'=HYPERLINK(""x"")"');
    fc.assert(
      fc.property(anyText, fc.double({ noNaN: true, noDefaultInfinity: true }), (text, value) => {
        const [row] = parse(`${csvField(text)},${csvField(value)}\r\n`) as string[][];
        expect(row).toHaveLength(2);
        expect(row?.[0]).not.toMatch(/^[=+\-@]/);
        expect(Number(row?.[1])).toBe(value === 0 ? 0 : value);
      }),
    );
  });
});
