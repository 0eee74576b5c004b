import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { embeddedJson, readViewAssets, renderHtml, takeApart } from '../../../native-workers/report/html.ts';
import { EMPTY_VIEW, goldenReport } from '../../helpers/report-runs.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

const hash = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

describe('renderHtml', () => {
  it('allows exactly its script and its style', async () => {
    const html = renderHtml(await goldenReport('mobilenet-int8'), EMPTY_VIEW);
    const policy = /http-equiv="Content-Security-Policy" content="([^"]+)"/.exec(html)?.[1];
    expect(policy?.split('; ')).toEqual([
      "default-src 'none'",
      `script-src ${hash(EMPTY_VIEW.script)}`,
      `style-src ${hash(EMPTY_VIEW.style)}`,
      'img-src data:',
      "base-uri 'none'",
      "form-action 'none'",
    ]);
  });

  it('names nothing outside itself', async () => {
    const html = renderHtml(await goldenReport('mobilenet-int8'), EMPTY_VIEW);
    expect(html).not.toMatch(/https?:|(src|href)="(?!data:,")/);
  });

  it('holds hostile names as text only', async () => {
    const html = renderHtml(await goldenReport('failed-hostile-names'), EMPTY_VIEW);
    expect(html).not.toContain('<img');
    expect(html.match(/<script/g)).toHaveLength(2);
    expect(html.match(/<\/script>/g)).toHaveLength(2);
    expect(html).not.toMatch(/[\u2028\u2029\u202e]/);
  });

  it('says the verdict and the table without a script', async () => {
    const report = await goldenReport('mobilenet-int8');
    const html = renderHtml(report, EMPTY_VIEW);
    expect(html).toContain(`<p class="report-verdict">${report.verdict.sentence}</p>`);
    expect(html).toContain('<caption>Before and after</caption>');
    expect(html.match(/<h1>/g)).toHaveLength(1);
  });

  it('is taken apart into what it was made of', async () => {
    const report = await goldenReport('failed-hostile-names');
    const parts = takeApart(renderHtml(report, EMPTY_VIEW));
    expect(parts?.assets).toEqual(EMPTY_VIEW);
    expect(JSON.parse(parts?.document ?? '')).toEqual(JSON.parse(JSON.stringify(report)));
    expect(takeApart('<!doctype html><p>Another page</p>')).toBeNull();
  });
});

describe('embeddedJson', () => {
  it('cannot end its element and means the same', () => {
    const value = { text: '</script><!--\u2028\u2029', nested: ['<'] };
    expect(embeddedJson(value)).not.toMatch(/[<\u2028\u2029]/);
    expect(JSON.parse(embeddedJson(value))).toEqual(value);
  });
});

describe('readViewAssets', () => {
  it('says that the view is not built', async () => {
    await expect(readViewAssets(temporaryFolder())).rejects.toMatchObject({ code: 'studio-not-built' });
  });

  it('lets no script or style end its own element', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'report-view.js'), 'const a = "</script>", b = "<!--", c = /<\\/SCRIPT>/;');
    writeFileSync(join(folder, 'report-view.css'), 'p::after{content:"</style>"}');
    const { script, style } = await readViewAssets(folder);
    expect(script).not.toMatch(/<\/script|<!--/i);
    expect(style).not.toMatch(/<\/style/i);
    expect(new Function(`${script} return [a, b, c.test('</SCRIPT>')];`)()).toEqual(['</script>', '<!--', true]);
  });
});
