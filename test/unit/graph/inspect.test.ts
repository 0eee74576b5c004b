import { statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readOnnx } from '../../../native-workers/formats/onnx/read.ts';
import { writeOnnx } from '../../../native-workers/formats/onnx/write.ts';
import { tensorAttribute } from '../../../native-workers/graph/attribute.ts';
import { inspectFacts, macsFromRecordedTypes, typeText } from '../../../native-workers/graph/inspect.ts';
import type { Model } from '../../../native-workers/graph/model.ts';
import { tensorFromInt64, tensorFromNumbers } from '../../../native-workers/graph/tensor-values.ts';
import { tensorType } from '../../../native-workers/graph/types.ts';
import { type InspectFacts, inspectFactsSchema } from '../../../native-workers/protocol/facts.ts';
import { ModelBuilder, tinyClassifier } from '../../helpers/models.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

const facts = (model: Model): InspectFacts =>
  inspectFactsSchema.parse(inspectFacts(model, macsFromRecordedTypes(model)));
const codes = (model: Model): string[] => facts(model).notes.map(({ code }) => code);

describe('inspect', () => {
  it('tells the structure of a model', () => {
    const found = facts(tinyClassifier());
    expect(found).toMatchObject({
      format: 'onnx',
      opsets: { '': 17 },
      irVersion: 8,
      inputs: [{ name: 'image', dtype: 'float32', shape: ['batch', 3, 8, 8] }],
      outputs: [{ name: 'scores', dtype: 'float32', shape: ['batch', 4] }],
      nodes: 5,
      operators: { Conv: 1, Relu: 1, GlobalAveragePool: 1, Flatten: 1, Gemm: 1 },
      parameters: 108 + 4 + 16 + 4,
      precision: { float32: 4 * 132 },
      quantized: false,
      quantization: null,
      externalData: false,
      bytesByOperator: { Conv: 448, Gemm: 80 },
      macs: null,
    });
    expect(found.bytes.weights).toBe(528);
    expect(found.tensors.map(({ name, bytes, usedBy }) => [name, bytes, usedBy])).toEqual([
      ['kernel', 432, ['convolved_node']],
      ['weight', 64, ['scores_node']],
      ['bias', 16, ['convolved_node']],
      ['offset', 16, ['scores_node']],
    ]);
    expect(found.notes.find(({ code }) => code === 'macs-unknown')?.node).toBe('convolved_node');
  });

  it('counts the bytes of every file, and shared ranges once', async () => {
    const build = new ModelBuilder();
    const large = build.weight('large', [64, 32]);
    const product = build.op('MatMul', [build.input('x', [1, 64]), large], 'product');
    const model = build.outputs(product).model();
    if (large.tensor !== null) model.graph.addInitializer('alias', large.tensor);
    const path = join(temporaryFolder(), 'model.onnx');
    const { files } = await writeOnnx(model, path, { external: 'always' });
    const found = facts(readOnnx(path));
    expect(found.bytes).toEqual({ total: files.reduce((sum, file) => sum + statSync(file).size, 0), weights: 8192 });
    expect(found.externalData).toBe(true);
    expect(found.tensors[1]?.duplicateOf).toBe('large');
    expect(found.notes.map(({ code }) => code)).toContain('external-data');
    expect(found.notes.map(({ code }) => code)).not.toContain('duplicate-weights');
  });

  it('finds equal weights, and only those', () => {
    const build = new ModelBuilder();
    const first = build.weight('first', [32, 32]);
    const bytes = new Uint8Array(first.tensor?.data.read() ?? []);
    build.graph.addInitializer('copy', tensorFromNumbers('float32', new Float32Array(bytes.buffer), [32, 32]));
    build.graph.addInitializer('other-shape', tensorFromNumbers('float32', new Float32Array(bytes.buffer), [16, 64]));
    const nearly = new Uint8Array(bytes);
    nearly[4095] = (nearly[4095] ?? 0) ^ 1;
    build.graph.addInitializer('nearly', tensorFromNumbers('float32', new Float32Array(nearly.buffer), [32, 32]));
    const found = facts(build.model());
    expect(found.tensors.map(({ name, duplicateOf }) => [name, duplicateOf])).toEqual([
      ['first', undefined],
      ['copy', 'first'],
      ['other-shape', undefined],
      ['nearly', undefined],
    ]);
    expect(found.notes.find(({ code }) => code === 'duplicate-weights')?.message).toContain('4.1 kB');
  });

  it('looks through what carries a weight to what uses it', () => {
    const build = new ModelBuilder();
    const weight = build.graph.addInitializer('w', tensorFromNumbers('int8', Array(16).fill(1), [4, 4]));
    const scale = build.graph.addInitializer('s', tensorFromNumbers('float32', [0.1], []));
    const real = build.op('DequantizeLinear', [weight, scale], 'real');
    const turned = build.op('Transpose', [real], 'turned', { perm: [1, 0] });
    const model = build.outputs(build.op('MatMul', [build.input('x', [1, 4]), turned], 'y')).model();
    expect(facts(model)).toMatchObject({
      bytesByOperator: { MatMul: 20 },
      quantized: true,
      quantization: 'weight-only',
      precision: { int8: 16, float32: 4 },
    });
  });

  it('names the kind of quantization', () => {
    const qdq = new ModelBuilder();
    const scale = qdq.weight('s', []);
    const rounded = qdq.op('QuantizeLinear', [qdq.input('x', [4]), scale], 'rounded');
    qdq.outputs(qdq.op('DequantizeLinear', [rounded, scale], 'y'));
    expect(facts(qdq.model()).quantization).toBe('QDQ');

    const dynamic = new ModelBuilder();
    dynamic.outputs(dynamic.op('DynamicQuantizeLinear', [dynamic.input('x', [4])], 'y'));
    expect(facts(dynamic.model()).quantization).toBe('dynamic');

    const linear = new ModelBuilder();
    linear.outputs(linear.op('QLinearConv', [linear.input('x', [1, 1, 4, 4], 'uint8')], 'y'));
    expect(facts(linear.model()).quantization).toBe('QLinear');

    const packed = new ModelBuilder();
    const blocks = packed.graph.addInitializer('b', tensorFromNumbers('uint8', Array(64).fill(7), [4, 1, 16]));
    packed.outputs(
      packed.op('MatMulNBits', [packed.input('x', [1, 32]), blocks], 'y', { N: 4, K: 32 }, 'com.microsoft'),
    );
    const found = facts(packed.model());
    expect([found.quantization, found.parameters, found.operators]).toEqual([
      'weight-only',
      128,
      { 'com.microsoft:MatMulNBits': 1 },
    ]);
  });
});

describe('notes', () => {
  const cases: [string, (build: ModelBuilder) => Model][] = [
    [
      'float64-weights',
      (build) => {
        build.graph.addInitializer('w', tensorFromNumbers('float64', [1, 2], [2]));
        return build.model();
      },
    ],
    [
      'unused-weights',
      (build) => {
        build.weight('w', [4]);
        return build.model();
      },
    ],
    [
      'large-constants',
      (build) => {
        const value = tensorAttribute(tensorFromNumbers('float32', new Float32Array(1 << 18), [1 << 18]));
        return build.outputs(build.op('Constant', [], 'c', { value })).model();
      },
    ],
    ['old-opset', (build) => build.model(9)],
    ['new-opset', (build) => build.model(31)],
    [
      'batch-norm-not-folded',
      (build) => {
        const convolved = build.op(
          'Conv',
          [build.input('x', [1, 2, 4, 4]), build.weight('k', [2, 2, 1, 1])],
          'convolved',
        );
        const parameters = ['scale', 'bias', 'mean', 'variance'].map((name) => build.weight(name, [2]));
        return build.outputs(build.op('BatchNormalization', [convolved, ...parameters], 'y')).model();
      },
    ],
    [
      'placeholder-weights',
      (build) => {
        const shape = build.graph.addInitializer('shape', tensorFromInt64([64, 64], [2]));
        const made = build.op('ConstantOfShape', [shape], 'made');
        return build.outputs(build.op('MatMul', [build.input('x', [1, 64]), made], 'y')).model();
      },
    ],
    ['unknown-domain', (build) => build.outputs(build.op('Magic', [build.input('x', [1])], 'y', {}, 'my.own')).model()],
    ['symbolic-dims', (build) => build.outputs(build.op('Relu', [build.input('x', ['n'])], 'y')).model()],
    ['float16-interface', (build) => build.outputs(build.op('Relu', [build.input('x', [1], 'float16')], 'y')).model()],
    [
      'weights-are-inputs',
      (build) => {
        build.graph.inputs.push(build.weight('w', [4]));
        return build.model();
      },
    ],
  ];
  it.each(cases)('%s', (code, make) => {
    expect(codes(make(new ModelBuilder()))).toContain(code);
    expect(codes(new ModelBuilder('empty').model())).not.toContain(code);
  });

  it('do not blame a model for what is usual before IR version 4', () => {
    const build = new ModelBuilder();
    build.graph.inputs.push(build.weight('w', [4]));
    expect(codes(build.model(8, 3))).not.toContain('weights-are-inputs');
  });
});

it('types are told in words', () => {
  const float = tensorType('float32', [1]);
  expect(typeText({ kind: 'sequence', element: { kind: 'optional', element: float } })).toBe(
    'sequence(optional(float32))',
  );
  expect(typeText({ kind: 'map', key: 'int64', value: float })).toBe('map(int64, float32)');
  expect(typeText(null)).toBe('unknown');
});
