import { describe, expect, it } from 'vitest';
import { modelCard } from '../../../native-workers/artifacts/model-card.ts';
import { type SnippetRequest, snippetsFor } from '../../../native-workers/artifacts/snippets.ts';
import type { Artifact } from '../../../native-workers/protocol/facts.ts';

const request: SnippetRequest = {
  target: 'ort',
  file: 'net.ort',
  signature: {
    inputs: [{ source: 'in"1"', name: 'in"1"', dtype: 'float32', shape: ['batch', 3, null] }],
    outputs: [{ source: 'größe', name: 'größe', dtype: 'float32', shape: [1, 2] }],
  },
  preprocess: { size: [32, 16], mean: [1, 2, 3], std: [4, 5, 6], color: 'bgr', scale: 0.5, layout: 'nchw' },
  labels: ['a "b"', 'c$d\\e', 'f\ng'],
};
const texts = (changes: Partial<SnippetRequest>): Record<string, string> =>
  Object.fromEntries(snippetsFor({ ...request, ...changes }).map(({ file, text }) => [file, text]));

/** String literals closed on their line, with no bare line break: counted with escapes taken out. */
function isBalanced(text: string): boolean {
  return text.split('\n').every((line) => {
    const code = line.replace(/\\./g, '');
    return (code.match(/"/g)?.length ?? 0) % 2 === 0;
  });
}

describe('snippetsFor', () => {
  it.each(['ort', 'tflite', 'coreml'])(
    'uses the names, shapes, preparation and labels of the model for %s',
    (target) => {
      for (const [file, text] of Object.entries(texts({ target }))) {
        expect(isBalanced(text), `${target} ${file}`).toBe(true);
        expect(text).toContain('in\\"1\\"');
        expect(text).toContain('resize to 32 x 16 (height x width); bgr channels; multiply by 0.5; subtract [1, 2, 3]');
        expect(text).toContain('"a \\"b\\""');
        expect(text).toContain('"f g"');
        expect(text).toContain('"net.ort"');
      }
    },
  );

  it('writes Swift and Kotlin, and no Kotlin where there is no Android', () => {
    expect(Object.keys(texts({ target: 'ort' }))).toEqual(['Example.swift', 'Example.kt']);
    expect(Object.keys(texts({ target: 'tflite' }))).toEqual(['Example.swift', 'Example.kt']);
    expect(Object.keys(texts({ target: 'coreml' }))).toEqual(['Example.swift']);
  });

  it('feeds every input, in its type, with 1 for open sizes', () => {
    const signature = {
      inputs: [
        { source: 'ids', name: 'ids', dtype: 'int64', shape: [1, 16] },
        { source: 'mask', name: 'mask', dtype: 'int64', shape: ['n', 16] },
      ],
      outputs: request.signature.outputs,
    };
    const swift = texts({ signature })['Example.swift'] ?? '';
    expect(swift).toContain('"ids": input0, "mask": input1');
    expect(swift.match(/\[Int64\]\(repeating: 0, count: 16\)/g)).toHaveLength(2);
    const kotlin = texts({ signature })['Example.kt'] ?? '';
    expect(kotlin).toContain('LongArray(16)');
    expect(kotlin).toContain('"mask"');
  });

  it('escapes a dollar sign where it begins a template, and only there', () => {
    const found = texts({});
    expect(found['Example.swift']).toContain('"c$d\\\\e"');
    expect(found['Example.kt']).toContain('"c\\$d\\\\e"');
  });

  it('feeds every input of a TFLite model in Kotlin too', () => {
    const two = [0, 1].map((index) => ({ source: `x${index}`, name: `x${index}`, dtype: 'float32', shape: [4] }));
    const text =
      texts({ target: 'tflite', signature: { inputs: two, outputs: request.signature.outputs } })['Example.kt'] ?? '';
    expect(text).toContain('inputs[0].writeFloat(FloatArray(4))');
    expect(text).toContain('inputs[1].writeFloat(FloatArray(4))');
  });

  it('writes code for a model without inputs, labels and preparation', () => {
    for (const target of ['ort', 'tflite', 'coreml']) {
      const signature = { inputs: [], outputs: request.signature.outputs };
      for (const text of Object.values(texts({ target, signature, labels: null, preprocess: null }))) {
        expect(isBalanced(text)).toBe(true);
        expect(text).not.toContain('undefined');
        expect(text).not.toMatch(/withInputs: \[\]/);
      }
    }
  });
});

describe('modelCard', () => {
  const artifact: Artifact = {
    target: 'ort',
    status: 'made',
    path: 'ort/net.ort',
    bytes: 1234,
    sha256: 'a',
    files: [],
    requires: { 'ONNX Runtime': '1.18' },
    verified: {
      runtime: 'ONNX Runtime 1.30.0',
      status: 'passed',
      samples: 11,
      maxAbs: 1e-6,
      reference: 4,
      cosine: 1,
      top1Agreement: 1,
      steps: null,
      errors: [],
      others: [{ runtime: 'Web 1.30', status: 'passed', samples: 11, maxAbs: 2e-6, cosine: 1 }],
      metrics: [{ name: 'top-1', better: 'higher', unit: 'share', before: 0.91, after: 0.9, samples: 200 }],
    },
    coverage: { nodes: 1, supported: 1, unsupported: [] },
    notes: ['A note.'],
    ms: 1,
    loads: [{ where: 'ONNX Runtime', minimum: '1.18', why: 'opset 21' }],
  };
  const card = (changes: Partial<Parameters<typeof modelCard>[0]>): string =>
    modelCard({
      name: 'net',
      source: { sha256: 'ff00', bytes: 99 },
      artifact,
      signature: request.signature,
      preprocess: request.preprocess,
      labels: request.labels,
      license: 'Apache-2.0',
      ...changes,
    });

  it('holds what was measured and leaves to the author what only they know', () => {
    const text = card({});
    for (const part of [
      'ff00',
      '1234 bytes',
      'on 11 inputs',
      'Web 1.30: passed',
      'top-1 on 200 labelled samples: 0.9000',
      '| ONNX Runtime | 1.18 | opset 21 |',
      'A note.',
      'Apache-2.0',
      'Intended use',
    ])
      expect(text).toContain(part);
    expect(text).not.toContain('undefined');
  });

  it('says what is not known, and never that it passed', () => {
    const text = card({
      artifact: { ...artifact, verified: null, loads: [] },
      preprocess: null,
      labels: null,
      license: null,
    });
    expect(text).toContain('Nothing was run.');
    expect(text).toContain('Labels: not known to Hone.');
    expect(text).toContain('names no licence');
    expect(text).not.toMatch(/passed/);
  });

  it('names the operator that differs', () => {
    const verified = {
      ...artifact.verified,
      status: 'failed',
      reason: 'too far',
      diverges: { node: 'n', type: 'Tanh', artifact: 'TANH', maxAbs: 1 },
    };
    expect(card({ artifact: { ...artifact, verified: verified as Artifact['verified'] } })).toContain(
      'Tanh n, in the artifact TANH',
    );
  });
});
