import { describe, expect, it } from 'vitest';
import { packSucceeded, packText } from '../../../native-workers/cli/pack-text.ts';
import type { Artifact, Verification } from '../../../native-workers/protocol/package-facts.ts';

const verified: Verification = {
  runtime: 'LiteRT 2.5.3 (wasm)',
  status: 'passed',
  samples: 3,
  maxAbs: 2e-6,
  reference: 4,
  cosine: 1,
  top1Agreement: 1,
  steps: null,
  errors: [],
};
const artifact: Artifact = {
  target: 'tflite',
  status: 'made',
  path: 'tflite/a.tflite',
  bytes: 1000,
  sha256: '',
  files: [],
  requires: {},
  verified,
  coverage: { nodes: 3, supported: 3, unsupported: [] },
  notes: [],
  ms: 1,
};
const passes = (changes: Partial<Artifact>): boolean =>
  packSucceeded({ artifacts: [{ ...artifact, ...changes }], sizes: [] });

describe('packSucceeded', () => {
  it('asks that everything was made and passed its check, where it could be run', () => {
    expect(passes({})).toBe(true);
    expect(passes({ verified: { ...verified, status: 'not-run' } })).toBe(true);
    expect(passes({ verified: { ...verified, status: 'failed' } })).toBe(false);
    expect(passes({ verified: { ...verified, status: 'refused' } })).toBe(false);
    expect(passes({ status: 'unsupported', verified: null })).toBe(false);
    expect(passes({ status: 'failed', verified: null })).toBe(false);
  });

  it("fails for the user's own budget and not for that of a profile", () => {
    const size = { target: 'tflite', bytes: 2, budget: 1, fits: false };
    expect(packSucceeded({ artifacts: [], sizes: [{ ...size, profile: 'Phone app' }] })).toBe(true);
    expect(packSucceeded({ artifacts: [], sizes: [{ ...size, profile: 'your budget' }] })).toBe(false);
  });
});

describe('packText', () => {
  it('says where it loads, what differs, on which runtimes, and the metric', () => {
    const text = packText({
      artifacts: [
        {
          ...artifact,
          model: 'b.onnx',
          loads: [{ where: 'ONNX Runtime', minimum: '1.18', why: 'opset 21' }],
          verified: {
            ...verified,
            status: 'failed',
            reason: 'too far',
            diverges: { node: 'n1', type: 'Tanh', artifact: 'TANH 7', maxAbs: 1 },
            others: [{ runtime: 'Web', status: 'passed', samples: 3, maxAbs: 0, cosine: 1 }],
            metrics: [{ name: 'top-1', better: 'higher', unit: 'share', before: 0.9, after: 0.5, samples: 20 }],
          },
        },
      ],
      sizes: [{ profile: 'Phone app', target: 'tflite', bytes: 1000, budget: 10, fits: false }],
    });
    for (const part of [
      'tflite b.onnx',
      'failed',
      'too far',
      'Tanh n1, in the artifact TANH 7',
      'passed on Web',
      '1.18 or newer',
    ])
      expect(text).toContain(part);
    expect(text).toContain('top-1 0.9000 -> 0.5000 on 20 samples');
    expect(text).toMatch(/tflite has .*, more than the .* of Phone app/);
  });
});
