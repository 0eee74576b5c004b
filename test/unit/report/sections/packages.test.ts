import { describe, expect, it } from 'vitest';
import { goldenReport } from '../../../helpers/report-runs.ts';

describe('packages', () => {
  it('warns seriously of each artifact that is missing or wrong', async () => {
    const { warnings, sections } = await goldenReport('mobilenet-int8');
    expect(
      sections.packages.status === 'measured' && sections.packages.data.artifacts.map(({ target }) => target),
    ).toEqual(['ort', 'tflite', 'coreml']);
    const found = warnings
      .filter(({ code }) => code.startsWith('package-'))
      .map(({ code, severity }) => [code, severity]);
    expect(found).toEqual([
      ['package-differs', 'serious'],
      ['package-failed', 'serious'],
      ['package-too-large', 'caution'],
    ]);
  });

  it('says why there is none', async () => {
    expect((await goldenReport('resnet-float16')).sections.packages).toEqual({
      status: 'not-measured',
      reason: 'The package stage was not part of the run.',
    });
  });
});
