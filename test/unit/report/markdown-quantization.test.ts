import { describe, expect, it } from 'vitest';
import { quantizationOf } from '../../../native-workers/report/markdown-quantization.ts';
import { measured } from '../../../native-workers/report/outcome.ts';
import type { QuantizedLayer } from '../../../native-workers/report/sections/quantization.ts';
import { goldenReport } from '../../helpers/report-runs.ts';

const layer = (node: string, sqnrDb: number | null): QuantizedLayer => ({
  ...{ node, operator: 'Conv', value: 'x', input: null, kept: null, histogram: null },
  ...{ weightError: 0.012, clipped: 0.001, method: 'mse', sqnrDb },
});

async function markdown(layers: QuantizedLayer[], left: { node: string; reason: string }[]): Promise<string> {
  const { sections } = await goldenReport('mobilenet-int8');
  const passes = layers.length === 0 ? [] : [{ pass: 'quantize-static', title: 'Static INT8', layers }];
  const data = { passes, left, graph: [], sensitivity: [], search: [] };
  return quantizationOf({ sections: { ...sections, quantization: measured(data) } });
}

describe('quantization in Markdown', () => {
  it('lists the layers of the lowest signal to noise first, and says how many it leaves out', async () => {
    const layers = Array.from({ length: 30 }, (_, place) => layer(`l${place}`, 60 - place));
    const text = await markdown([...layers, layer('a|b', null)], []);
    expect(text).toContain('Static INT8: 31 layers');
    expect(text.indexOf('| l29 | Conv | 31.0 dB | 1.2 % | 0.1 % | mse |')).toBeGreaterThan(0);
    expect(text.indexOf('| l28 |')).toBeGreaterThan(text.indexOf('| l29 |'));
    expect(text).not.toContain('| l9 |');
    expect(text).toContain('11 more are in the full report.');
  });

  it('names what stays float by reason, where nothing was quantized too', async () => {
    const left = Array.from({ length: 10 }, (_, place) => ({ node: `n${place}`, reason: 'its weight is float16' }));
    const text = await markdown([], [...left, { node: 'head', reason: 'it has 12 weights' }]);
    expect(text).toContain('11 nodes left float by plan, and why');
    expect(text).toContain('| its weight is float16 | 10 | n0, n1, n2, n3, n4, n5, n6, n7 and 2 more |');
    expect(text).toContain('| it has 12 weights | 1 | head |');
    expect(text).not.toContain('layers');
  });
});
