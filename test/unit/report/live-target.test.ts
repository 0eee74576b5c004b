import { describe, expect, it } from 'vitest';
import type { Artifact, Verification } from '../../../native-workers/protocol/package-facts.ts';
import { liveTargetOf } from '../../../native-workers/report/live-target.ts';

const VERIFIED: Verification = {
  runtime: 'LiteRT',
  status: 'passed',
  samples: 11,
  maxAbs: 0.5,
  reference: 2,
  cosine: 0.99,
  top1Agreement: 1,
  steps: null,
  errors: [],
};
const MADE: Artifact = {
  target: 'tflite',
  status: 'made',
  path: 'tflite/net.tflite',
  bytes: 100,
  sha256: 'a',
  files: [],
  requires: {},
  verified: VERIFIED,
  coverage: { nodes: 7, supported: 7, unsupported: [] },
  notes: [],
  ms: 1,
};

describe('liveTargetOf', () => {
  it('lists every check of every file, in the order they were run', () => {
    const other = { runtime: 'Web', status: 'not-run', samples: 0, maxAbs: null, cosine: null } as const;
    const variants = [{ ...VERIFIED, file: 'b.ort', others: [other] }];
    const { step, checks } = liveTargetOf({
      ...MADE,
      verified: { ...VERIFIED, file: 'a.ort', others: [other], variants },
    });
    expect(step).toBe('done');
    expect(checks.map(({ file, runtime, status }) => [file, runtime, status])).toEqual([
      ['a.ort', 'LiteRT', 'passed'],
      ['a.ort', 'Web', 'not-run'],
      ['b.ort', 'LiteRT', 'passed'],
      ['b.ort', 'Web', 'not-run'],
    ]);
  });

  it('says why a target is not right: the error, the operator that differs, or what its format lacks', () => {
    const diverges = { node: 'conv_7', type: 'Conv', artifact: 'CONV_2D 3 (y)', maxAbs: 1 };
    const failed: Verification = { ...VERIFIED, status: 'failed', reason: 'too far off', diverges };
    expect(liveTargetOf({ ...MADE, verified: failed })).toMatchObject({
      step: 'failed',
      reason: 'The first operator that differs is Conv conv_7, in the artifact CONV_2D 3 (y).',
    });
    const unsupported = ['p', 'q'].map((node) => ({ node, type: 'TopK', reason: 'no such operator' }));
    const coverage = { nodes: 7, supported: 5, unsupported };
    expect(liveTargetOf({ ...MADE, status: 'unsupported', bytes: 0, verified: null, coverage })).toMatchObject({
      step: 'failed',
      bytes: null,
      coverage: { nodes: 7, supported: 5 },
      reason: 'It cannot express TopK p: no such operator, and 1 more.',
    });
    const error = { code: 'disk-full', kind: 'resource', message: 'No room.' } as const;
    expect(liveTargetOf({ ...MADE, status: 'failed', verified: null, error })).toMatchObject({ reason: 'No room.' });
    expect(liveTargetOf({ ...MADE, status: 'cancelled', verified: null })).toMatchObject({ step: 'cancelled' });
  });
});
