/** Operators that ONNX's own tests do not have, and forms of others, against ONNX Runtime on the source. */
import { describe, expect, it } from 'vitest';
import { Graph } from '../../../../native-workers/graph/graph.ts';
import type { Model } from '../../../../native-workers/graph/model.ts';
import { tensorFromBytes, tensorFromNumbers } from '../../../../native-workers/graph/tensor-values.ts';
import { tensorType } from '../../../../native-workers/graph/types.ts';
import type { Value } from '../../../../native-workers/graph/value.ts';
import { openEngine } from '../../../../native-workers/runtimes/onnxruntime.ts';
import { coverageOf, differenceOf, finish, waves, writeCoreml } from '../../../helpers/coreml.ts';
import { ModelBuilder } from '../../../helpers/models.ts';

const engine = await openEngine();
const CONTRIB = 'com.microsoft';
const FLOAT32 = { precision: 'float32' } as const;

const bytes = (build: ModelBuilder, name: string, shape: readonly number[], step: number): Value => {
  const size = shape.reduce((product, dim) => product * dim, 1);
  const values = Uint8Array.from({ length: size }, (_, at) => (at * step + 11) % 256);
  return build.graph.addInitializer(name, tensorFromBytes('uint8', shape, values));
};

describe('weights in blocks', () => {
  const [N, K] = [6, 64];

  function matmulNBits(bits: number, block: number, columns: number, zeroPoints: boolean): Model {
    const build = new ModelBuilder();
    const blocks = Math.ceil(columns / block);
    const x = build.input('x', [2, 3, columns]);
    const w = bytes(build, 'w', [N, blocks, (block * bits) / 8], 37);
    const scales = build.weight('scales', [N * blocks], 0.1);
    const inputs: Value[] = [x, w, scales];
    if (zeroPoints) inputs.push(bytes(build, 'zeros', [N * Math.ceil((blocks * bits) / 8)], 71));
    const attributes = { K: columns, N, bits, block_size: block };
    return finish(build, build.op('MatMulNBits', inputs, 'y', attributes, CONTRIB));
  }

  it.each([
    [4, 32, K, false, 'iOS18', 'int4'],
    [4, 16, K, true, 'iOS18', 'uint4'],
    [4, 32, 96, true, 'iOS18', 'uint4'],
    [8, 32, K, false, 'iOS18', 'int8'],
    [8, 32, K, true, 'iOS26', 'uint8'],
  ] as const)(
    'of %i bits by %i of %i columns, zero points %s, stay so for %s',
    async (bits, block, columns, zeros, target, dtype) => {
      const model = matmulNBits(bits, block, columns, zeros);
      const { largest, package: made } = await differenceOf(
        engine,
        model,
        { x: waves([2, 3, columns]) },
        { ...FLOAT32, target },
      );
      expect(largest).toBeLessThan(1e-5);
      const [weights] = made.main.operations.filter(({ type }) => type === 'constexpr_blockwise_shift_scale');
      expect(weights?.inputs.get('data')?.[0]?.type).toEqual({ dtype, shape: [N, columns] });
      expect(weights?.inputs.has('offset')).toBe(zeros);
      expect(made.written.notes.join()).not.toContain('written as floats');
    },
  );

  it.each([
    ['iOS17', 32, K],
    ['iOS15', 32, K],
    ['iOS18', 32, 48],
  ] as const)('are floats for %s in blocks of %i of %i columns, which a note says', async (target, block, columns) => {
    const model = matmulNBits(4, block, columns, true);
    const { largest, package: made } = await differenceOf(
      engine,
      model,
      { x: waves([2, 3, columns]) },
      { ...FLOAT32, target },
    );
    expect(largest).toBeLessThan(1e-5);
    expect(made.main.operations.map(({ type }) => type)).toEqual(['linear']);
    expect(made.written.notes.join()).toContain('written as floats');
  });

  /** A matrix of codes with scales and zero points of 16 along the summed axis. */
  function dequantized(dtype: 'int4' | 'uint4' | 'int8' | 'uint8'): Model {
    const build = new ModelBuilder();
    const low = dtype.startsWith('u') ? 0 : dtype === 'int4' ? -8 : -128;
    const codes = Array.from({ length: K * N }, (_, at) => low + ((at * 7) % (dtype.endsWith('4') ? 16 : 256)));
    const w = build.graph.addInitializer('w', tensorFromNumbers(dtype, codes, [K, N]));
    const scales = build.weight('scales', [K / 16, N], 0.1);
    const points = Array.from({ length: (K / 16) * N }, (_, at) => low + 3 + (at % 5));
    const zeros = build.graph.addInitializer('zeros', tensorFromNumbers(dtype, points, [K / 16, N]));
    const real = build.op('DequantizeLinear', [w, scales, zeros], 'real', { axis: 0, block_size: 16 });
    return finish(build, build.op('MatMul', [build.input('x', [2, K]), real], 'y'));
  }

  it.each(['int4', 'uint4', 'int8', 'uint8'] as const)(
    'of DequantizeLinear of %s are constants of iOS 18',
    async (dtype) => {
      const { largest, package: made } = await differenceOf(
        engine,
        dequantized(dtype),
        { x: waves([2, K]) },
        { ...FLOAT32, target: 'iOS18' },
      );
      expect(largest).toBeLessThan(1e-5);
      expect(made.main.operations.map(({ type }) => type)).toEqual(['constexpr_blockwise_shift_scale', 'matmul']);
    },
  );

  it.each([
    ['MatMulNBits', '18', matmulNBits(4, 32, K, true)],
    ['DequantizeLinear', '18', dequantized('int4')],
    // Floats for any system: the oldest is as good.
    ['MatMulNBits with a last block that is not full', '16', matmulNBits(4, 32, 48, true)],
  ])('of %s have the target iOS %s unless another is asked for', async (_, iOS, model) => {
    const { written, main } = await writeCoreml(engine, model);
    expect(written.requires['iOS']).toBe(iOS);
    expect(main.operations.some(({ type }) => type === 'constexpr_blockwise_shift_scale')).toBe(iOS === '18');
    expect(written.notes.join().includes('written as floats')).toBe(iOS !== '18');
  });
});

describe('what MIL has no operators for', () => {
  it('is written out: a choice, a loop, a transform', async () => {
    const build = new ModelBuilder();
    const [x, condition] = [build.input('x', [2, 6, 1]), build.input('c', [], 'bool')];
    const body = (name: string, opType: string): Graph => {
      const graph = new Graph(name);
      const output = graph.createValue(`${name}_out`);
      graph.addNode({ opType, inputs: [x], outputs: [output] });
      graph.outputs.push(output);
      return graph;
    };
    const chosen = build.op('If', [condition], 'chosen', {
      then_branch: { type: 'graph', value: body('yes', 'Neg') },
      else_branch: { type: 'graph', value: body('no', 'Exp') },
    });
    const loop = new Graph('loop');
    const [, on, state] = [
      loop.addInput('i', tensorType('int64', [])),
      loop.addInput('on', tensorType('bool', [])),
      loop.addInput('s', tensorType('float32', [2, 6, 1])),
    ];
    const sum = loop.createValue('sum');
    loop.addNode({ opType: 'Add', inputs: [state, x], outputs: [sum] });
    loop.outputs.push(on, sum);
    const trips = build.graph.addInitializer('trips', tensorFromNumbers('int64', [3], []));
    const last = build.op('Loop', [trips, null, chosen], 'last', { body: { type: 'graph', value: loop } });
    const axis = build.graph.addInitializer('axis', tensorFromNumbers('int64', [1], []));
    const model = finish(build, build.op('DFT', [last, null, axis], 'y', { onesided: 1 }));
    for (const value of [0, 1]) {
      const feeds = { x: waves([2, 6, 1]), c: { dtype: 'bool', shape: [], data: Uint8Array.of(value) } } as const;
      const { largest, package: made } = await differenceOf(engine, model, feeds, FLOAT32);
      expect(largest).toBeLessThan(1e-5);
      expect(made.main.operations.map(({ type }) => type)).toEqual(expect.arrayContaining(['select', 'exp', 'matmul']));
    }
  });

  it('is refused by name where it depends on data', async () => {
    const build = new ModelBuilder();
    const length = build.input('n', [], 'int64');
    const axis = build.graph.addInitializer('axis', tensorFromNumbers('int64', [1], []));
    const model = finish(build, build.op('DFT', [build.input('x', [2, 6, 1]), length, axis], 'y'));
    const { unsupported } = await coverageOf(engine, model);
    expect(unsupported).toMatchObject([{ type: 'DFT', reason: expect.stringContaining('length') }]);
  });
});

describe('integers', () => {
  it('of dynamic quantization are computed in float32 beside float16, and weights stay bytes', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', [4, 512]);
    const { graph } = build;
    const codes = build.op('DynamicQuantizeLinear', [x], 'codes');
    const [scale, zero] = ['scale', 'zero'].map((name, index) => {
      const value = graph.createValue(name);
      codes.producer?.setOutput(index + 1, value);
      return value;
    }) as [Value, Value];
    const weights = Array.from({ length: 512 * 8 }, (_, at) => ((at * 37) % 255) - 127);
    const w = graph.addInitializer('w', tensorFromNumbers('int8', weights, [512, 8]));
    const sums = build.op('MatMulInteger', [codes, w, zero], 'sums');
    const floats = build.op('Cast', [sums], 'floats', { to: 1 });
    const model = finish(build, build.op('Mul', [floats, scale], 'y'));
    const { largest, package: made } = await differenceOf(engine, model, { x: waves([4, 512]) }, { target: 'iOS16' });
    // Sums of 512 products are up to 8 million, far beyond float16; of 8 bits, a rounding to the other side is 1 of 255.
    expect(largest).toBeLessThan(1e-2);
    const [constant] = made.main.operations.filter(({ type }) => type === 'constexpr_affine_dequantize');
    expect(constant?.inputs.get('quantized_data')?.[0]?.type.dtype).toBe('int8');
  });

  it('of eight bits at the ends of a quantized model come and go as int32', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', [1, 6], 'int8');
    const [scale, zero] = [
      build.graph.addInitializer('scale', tensorFromNumbers('float32', [0.05], [])),
      build.graph.addInitializer('zero', tensorFromNumbers('int8', [3], [])),
    ];
    const real = build.op('DequantizeLinear', [x, scale, zero], 'real');
    const moved = build.op(
      'Transpose',
      [build.op('QuantizeLinear', [build.op('Relu', [real], 'relu'), scale, zero], 'q')],
      'y',
    );
    const model = finish(build, moved);
    const data = Int8Array.from([-128, -7, 0, 9, 64, 127]);
    const { largest, package: made } = await differenceOf(
      engine,
      model,
      { x: { dtype: 'int8', shape: [1, 6], data } },
      { target: 'iOS17' },
    );
    expect(largest).toBe(0);
    expect(made.written.signature.inputs[0]?.dtype).toBe('int32');
    const transpose = made.main.operations.find(({ type }) => type === 'transpose');
    expect(transpose?.outputs[0]?.type.dtype).toBe('int8');
  });
});
