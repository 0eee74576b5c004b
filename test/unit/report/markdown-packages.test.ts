import { describe, expect, it } from 'vitest';
import type { Artifact } from '../../../native-workers/protocol/package-facts.ts';
import { packagesOf } from '../../../native-workers/report/markdown-packages.ts';
import { measured } from '../../../native-workers/report/outcome.ts';

const artifact: Artifact = {
  target: 'tflite',
  status: 'made',
  path: 'tflite/net.tflite',
  bytes: 60_000_000,
  sha256: '',
  files: [],
  requires: {},
  verified: {
    ...{ runtime: 'LiteRT', status: 'passed', samples: 3, maxAbs: 2.3e-6, reference: 1, cosine: 1, top1Agreement: 1 },
    ...{ steps: null, errors: [] },
    metrics: [{ name: 'top-1', better: 'higher', unit: 'share', before: 0.9, after: 0.875, samples: 100 }],
  },
  coverage: { nodes: 9, supported: 9, unsupported: [] },
  notes: [],
  ms: 1,
  loads: [{ where: 'TensorFlow Lite', minimum: '2.3.0', why: 'an operator' }],
};
const markdown = (artifacts: Artifact[]): string =>
  packagesOf({
    sections: {
      packages: measured({
        unit: 'bytes',
        artifacts,
        sizes: [{ profile: 'Phone app', target: 'tflite', bytes: 60_000_000, budget: 50_000_000, fits: false }],
      }),
    },
  });

describe('packagesOf', () => {
  it('shows each target with its check, what does not fit, and where it loads', () => {
    const text = markdown([artifact]);
    expect(text).toContain('| tflite | 60.0 MB | LiteRT | passed |');
    expect(text).toMatch(/top-1.* 90\.0.*→ 87\.5/);
    expect(text).toContain('60.0 MB is more than the 50.0 MB of Phone app');
    expect(text).toContain('| tflite | TensorFlow Lite | 2.3.0 | an operator |');
  });

  it('says what is wrong, and why nothing was made', () => {
    const verified = { ...artifact.verified, status: 'failed', reason: 'off by <3' } as Artifact['verified'];
    const lacking = { node: 'n', type: 'TopK', reason: 'none' };
    const text = markdown([
      { ...artifact, verified },
      {
        ...artifact,
        target: 'coreml',
        status: 'unsupported',
        verified: null,
        coverage: { nodes: 9, supported: 7, unsupported: [lacking, lacking] },
      },
    ]);
    expect(text).toContain('**failed**');
    expect(text).toContain('tflite: off by &lt;3');
    expect(text).toContain('coreml: it cannot express TopK (2).');
    expect(text).toContain('| coreml | unsupported |  | not run |');
  });

  it('is nothing where no targets were asked for', () => {
    expect(markdown([])).toBe('');
  });
});
