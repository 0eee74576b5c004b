import { describe, expect, it } from 'vitest';
import { modelCard } from '../../../native-workers/artifacts/model-card.ts';
import { snippetsFor } from '../../../native-workers/artifacts/snippets/snippets.ts';
import type { SnippetRequest } from '../../../native-workers/artifacts/snippets/values.ts';
import type { SignatureValue } from '../../../native-workers/artifacts/target.ts';
import type { Artifact } from '../../../native-workers/protocol/package-facts.ts';

const value = (name: string, dtype: string, shape: SignatureValue['shape'], more: Partial<SignatureValue> = {}) => ({
  source: name,
  name,
  dtype,
  shape,
  ...more,
});
const request: SnippetRequest = {
  target: 'ort',
  file: 'net.ort',
  requires: { 'ONNX Runtime': '1.16', iOS: '16' },
  signature: {
    inputs: [value('in"1"', 'float32', ['batch', 3, 32, 16])],
    outputs: [value('größe', 'float32', [1, 3])],
  },
  preprocess: {
    ...{ size: [32, 16], resize: 'shorter', crop: 0.5, color: 'bgr', layout: 'nchw' },
    ...{ scale: 0.5, mean: [1, -2, 3], std: [4, 5, 6] },
  },
  labels: ['a "b"', 'c$d\\e', 'f\n\u202eg'],
};
const texts = (changes: Partial<SnippetRequest>): Record<string, string> =>
  Object.fromEntries(snippetsFor({ ...request, ...changes }).map(({ file, text }) => [file, text]));

/** String literals closed on their line: counted with escapes and comments taken out. */
function isBalanced(text: string): boolean {
  return text.split('\n').every((line) => {
    const code = line.trimStart().startsWith('//') ? '' : line.replace(/\\./g, '');
    return (code.match(/"/g)?.length ?? 0) % 2 === 0;
  });
}

describe('snippetsFor', () => {
  it.each(['ort', 'tflite', 'coreml'])(
    'uses the names, sizes, preparation and labels of the model for %s',
    (target) => {
      for (const [file, text] of Object.entries(texts({ target }))) {
        expect(isBalanced(text), `${target} ${file}`).toBe(true);
        expect(text).toContain('in\\"1\\"');
        expect(text).toContain('scaled to cover 32 x 64, the middle 16 x 32 of it, blue, green, red, nchw');
        expect(text).toContain('"a \\"b\\""');
        expect(text).not.toContain('\u202e');
      }
    },
  );

  it('writes Swift and Kotlin, and no Kotlin where there is no Android', () => {
    expect(Object.keys(texts({ target: 'ort' }))).toEqual(['Example.swift', 'Example.kt']);
    expect(Object.keys(texts({ target: 'tflite' }))).toEqual(['Example.swift', 'Example.kt']);
    expect(Object.keys(texts({ target: 'coreml' }))).toEqual(['Example.swift']);
  });

  it('normalises each channel where it stands', () => {
    const { 'Example.kt': kotlin, 'Example.swift': swift } = texts({});
    expect(kotlin).toContain('values[pixel] = (blue * 0.5f - 1f) / 4f');
    expect(kotlin).toContain('values[pixel + 512] = (green * 0.5f - (-2f)) / 5f');
    expect(swift).toContain('values[pixel + 1024] = (red * 0.5 - 3) / 6');
    const integers = texts({
      signature: { ...request.signature, inputs: [value('x', 'uint8', [1, 32, 16, 3])] },
      preprocess: { ...request.preprocess, layout: 'nhwc' },
    });
    expect(integers['Example.kt']).toContain(
      'values[pixel * 3 + 2] = round((red * 0.5f - 3f) / 6f).toInt().coerceIn(0, 255).toByte()',
    );
  });

  it('feeds every input in its type, its open size from the data', () => {
    const signature = {
      inputs: [value('ids', 'int64', ['batch', 'sequence']), value('mask', 'int64', [1, 16])],
      outputs: request.signature.outputs,
    };
    const { 'Example.kt': kotlin, 'Example.swift': swift } = texts({ signature, preprocess: null });
    expect(kotlin).toContain('fun run(context: Context, input0: LongArray, input1: LongArray): Outputs');
    expect(kotlin).toContain('LongBuffer.wrap(input0), longArrayOf(1, input0.size.toLong())');
    expect(kotlin).toContain('require(input1.size == 16)');
    expect(swift).toContain('"ids": try tensor(input0, .int64, [1, input0.count])');
    const two = { ...signature, inputs: [value('x', 'float32', [1, null, 'w', 3])] };
    expect(texts({ signature: two, preprocess: null })['Example.kt']).toContain(
      'input0: FloatArray, shape0: LongArray',
    );
  });

  it('names the inputs and outputs of a TFLite file', () => {
    const inputs = [0, 1].map((index) => value(`x${index}`, 'float32', [4]));
    const text = texts({ target: 'tflite', signature: { ...request.signature, inputs } })['Example.kt'] ?? '';
    expect(text).toContain('"x1" to model.createInputBuffer("x1")');
    expect(text).toContain('inputs.getValue("x1").writeFloat(input1)');
    expect(text).toContain('outputs.getValue("größe").readFloat()');
  });

  it('takes and gives real numbers where the ends are quantized', () => {
    const quantization = { scale: 0.25, zeroPoint: -3 };
    const signature = {
      inputs: [value('x', 'int8', [4], { quantization })],
      outputs: [value('y', 'uint8', [1, 3], { quantization: { scale: 0.5, zeroPoint: 7 } })],
    };
    const { 'Example.kt': kotlin, 'Example.swift': swift } = texts({ signature, preprocess: null });
    expect(kotlin).toContain('input0: FloatArray');
    expect(kotlin).toContain('val stored0 = quantizedInt8(input0, 0.25f, -3)');
    expect(kotlin).toContain('realUint8(bytes(result[0]), 0.5f, 7)');
    expect(swift).toContain('.map { (Float($0) - 7) * 0.5 }');
    // TensorFlowLiteSwift cannot read int8.
    const eight = { ...signature, outputs: [value('y', 'int8', [1, 3], { quantization })] };
    expect(texts({ target: 'tflite', signature: eight })['Example.swift']).toMatch(
      /^\/\/ TensorFlowLiteSwift has no tensors of these types:\n\/\/ {3}"y": int8/,
    );
  });

  it('gives all outputs', () => {
    const outputs = [value('scores', 'float32', [1, 10, 2]), value('boxes', 'int32', [1, 10])];
    const { 'Example.kt': kotlin, 'Example.swift': swift } = texts({ signature: { ...request.signature, outputs } });
    expect(kotlin).toContain('val output1: IntArray');
    expect(swift).toContain('output1: elements(try results["boxes"]!.tensorData() as Data, Int32.self)');
    // No output has a score for each label.
    expect(kotlin).not.toContain('fun ranking');
  });

  it('keeps names exact, whatever they hold, and comments on their line', () => {
    const name = 'a\n\u202e"$x\\ü*/';
    const signature = { inputs: [value(name, 'float32', [1])], outputs: [value(name, 'float32', ['x\ny'])] };
    const { 'Example.kt': kotlin, 'Example.swift': swift } = texts({ signature, labels: null });
    expect(kotlin).toContain('"a\\u000a\\u202e\\"\\$x\\\\ü*/" to OnnxTensor');
    expect(swift).toContain('"a\\u{a}\\u{202e}\\"$x\\\\ü*/": try tensor');
    for (const text of [kotlin, swift]) {
      expect(text).not.toContain('\u202e');
      expect(isBalanced(text ?? '')).toBe(true);
    }
  });

  it('gives a picture to Core ML where the package takes one', () => {
    const signature = {
      inputs: [value('photo', 'float32', [1, 3, 32, 16], { isPicture: true })],
      outputs: request.signature.outputs,
    };
    const swift = texts({ target: 'coreml', file: 'net.mlpackage', signature })['Example.swift'] ?? '';
    expect(swift).toContain('forResource: "net", withExtension: "mlmodelc"');
    expect(swift).toContain('func run(picture0: CGImage)');
    expect(swift).toContain('inputDescriptionsByName["photo"]!.imageConstraint!');
    expect(swift).not.toContain('func pixels');
  });

  it('writes code for a model without inputs, labels and preparation', () => {
    for (const target of ['ort', 'tflite', 'coreml']) {
      const signature = { inputs: [], outputs: request.signature.outputs };
      for (const text of Object.values(texts({ target, signature, labels: null, preprocess: null }))) {
        expect(isBalanced(text)).toBe(true);
        expect(text).not.toContain('undefined');
        expect(text).not.toMatch(/: \[String: \w+\] = \[\]/);
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
      data: 'test.zip',
      sizes: [
        { profile: 'Phone app', target: 'ort', bytes: 1234, budget: 50_000_000, fits: true },
        { profile: 'your budget', target: 'ort', bytes: 1234, budget: 1000, fits: false },
      ],
      ...changes,
    });

  it('holds what was measured and leaves to the author what only they know', () => {
    const text = card({});
    for (const part of [
      'ff00',
      '1234 bytes',
      'on 11 inputs, made up and of test.zip',
      '| Phone app | 50000000 | fits |',
      '| your budget | 1000 | too large |',
      'Web 1.30: passed',
      'top-1 on 200 labelled samples of test.zip: 0.9000',
      '| ONNX Runtime | 1.18 | opset 21 |',
      'A note.',
      'Apache-2.0',
      'Intended use',
    ])
      expect(text).toContain(part);
    expect(text).not.toContain('undefined');
  });

  it('shows hostile names as text', () => {
    const name = '](x) <script>|`\n# \u202e';
    const signature = { inputs: [value(name, 'float32', [1])], outputs: request.signature.outputs };
    const text = card({ name, signature, labels: ['<b>', '*'] });
    expect(text).not.toContain('\u202e');
    expect(text).not.toMatch(/[^\\]<script>/);
    expect(text.split('\n')[0]).toBe('# \\](x) \\<script\\>\\|\\`\ufffd\\# \ufffd for ort');
    // Three cells, whatever the name holds.
    const row = text.split('\n').find((line) => line.endsWith('| float32 | 1 |'));
    expect(row?.match(/(?<!\\)\|/g)).toHaveLength(4);
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
