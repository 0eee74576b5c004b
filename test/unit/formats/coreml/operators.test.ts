/** Operators that ONNX's own tests do not have, and forms of others, against ONNX Runtime on the source. */
import { describe, expect, it } from 'vitest';
import type { CoremlOptions } from '../../../../native-workers/artifacts/coreml-options.ts';
import { stringAttribute, stringsAttribute } from '../../../../native-workers/graph/attribute.ts';
import { Graph } from '../../../../native-workers/graph/graph.ts';
import { Model } from '../../../../native-workers/graph/model.ts';
import { tensorFromBytes, tensorFromNumbers } from '../../../../native-workers/graph/tensor-values.ts';
import { tensorType } from '../../../../native-workers/graph/types.ts';
import type { Value } from '../../../../native-workers/graph/value.ts';
import type { Feeds, HostTensor } from '../../../../native-workers/lib/engine.ts';
import { openEngine } from '../../../../native-workers/runtimes/onnxruntime.ts';
import { coverageOf, differenceOf, writeCoreml } from '../../../helpers/coreml.ts';
import { ModelBuilder } from '../../../helpers/models.ts';

const engine = await openEngine();
const CONTRIB = 'com.microsoft';
const FLOAT32 = { precision: 'float32' } as const;

function waves(shape: readonly number[], frequency = 1): HostTensor {
  const size = shape.reduce((product, dim) => product * dim, 1);
  return {
    dtype: 'float32',
    shape,
    data: Float32Array.from({ length: size }, (_, at) => Math.sin(frequency * (at + 1))),
  };
}

function finish(build: ModelBuilder, ...outputs: readonly Value[]): Model {
  build.graph.outputs.push(...outputs);
  const model = new Model(build.graph, 21, 10);
  model.opsets.set(CONTRIB, 1);
  return model;
}

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

describe('attention', () => {
  /** softmax(q k^T / 2 + mask) v, as exporters write it. */
  function exported(masked: boolean): Model {
    const build = new ModelBuilder();
    const [q, k, v] = ['q', 'k', 'v'].map((name) => build.input(name, [2, 5, 3, 4])) as [Value, Value, Value];
    const heads = (x: Value, name: string, perm: readonly number[]): Value =>
      build.op('Transpose', [x], name, { perm });
    const product = build.op('MatMul', [heads(q, 'qh', [0, 2, 1, 3]), heads(k, 'kh', [0, 2, 3, 1])], 'scores');
    const factor = build.graph.addInitializer('factor', tensorFromNumbers('float32', [3], []));
    const scaled = build.op('Div', [product, factor], 'scaled');
    const added = masked ? build.op('Add', [scaled, build.input('mask', [2, 1, 5, 5])], 'added') : scaled;
    const weights = build.op('Softmax', [added], 'weights', { axis: -1 });
    return finish(build, build.op('MatMul', [weights, heads(v, 'vh', [0, 2, 1, 3])], 'y'));
  }
  const inputs: Feeds = { q: waves([2, 5, 3, 4]), k: waves([2, 5, 3, 4], 2), v: waves([2, 5, 3, 4], 3) };

  it.each([
    [true, 'iOS18', 1],
    [false, 'iOS18', 1],
    [true, 'iOS17', 0],
  ] as const)(
    'as exporters write it, masked %s, is one operator from iOS 18 on (%s)',
    async (masked, target, count) => {
      const feeds = masked ? { ...inputs, mask: waves([2, 1, 5, 5], 5) } : inputs;
      const { largest, package: made } = await differenceOf(engine, exported(masked), feeds, { ...FLOAT32, target });
      expect(largest).toBeLessThan(1e-5);
      const types = made.main.operations.map(({ type }) => type);
      expect(types.filter((type) => type === 'scaled_dot_product_attention')).toHaveLength(count);
      expect(types.includes('softmax')).toBe(count === 0);
    },
  );

  it('is not fused when something else reads the weights', async () => {
    const model = exported(false);
    const weights = [...model.graph.values()].find(({ name }) => name === 'weights') as Value;
    model.graph.outputs.push(weights);
    const { largest, package: made } = await differenceOf(engine, model, inputs, { ...FLOAT32, target: 'iOS18' });
    expect(largest).toBeLessThan(1e-5);
    expect(made.main.operations.some(({ type }) => type === 'softmax')).toBe(true);
  });

  it.each(['iOS17', 'iOS18'] as const)('of ONNX Runtime with several heads, biases and masks (%s)', async (target) => {
    const build = new ModelBuilder();
    const [q, k, v] = ['q', 'k', 'v'].map((name) => build.input(name, [2, 4, 8])) as [Value, Value, Value];
    const bias = build.weight('bias', [24], 0.5);
    const padding = build.graph.addInitializer('lengths', tensorFromNumbers('int32', [4, 2], [2]));
    const relative = build.weight('relative', [1, 2, 4, 4], 0.3);
    const y = build.op('MultiHeadAttention', [q, k, v, bias, padding, relative], 'y', { num_heads: 2 }, CONTRIB);
    const feeds = { q: waves([2, 4, 8]), k: waves([2, 4, 8], 2), v: waves([2, 4, 8], 3) };
    const { largest } = await differenceOf(engine, finish(build, y), feeds, { ...FLOAT32, target });
    expect(largest).toBeLessThan(1e-5);
  });

  it.each(['iOS17', 'iOS18'] as const)('of ONNX Runtime with shared keys and turned places (%s)', async (target) => {
    const build = new ModelBuilder();
    const q = build.input('q', [1, 6, 64]);
    const [k, v] = ['k', 'v'].map((name) => build.input(name, [1, 6, 32])) as [Value, Value];
    const last = build.graph.addInitializer('last', tensorFromNumbers('int32', [5], [1, 1]));
    const total = build.graph.addInitializer('total', tensorFromNumbers('int32', [6], []));
    const table = (name: string, turn: (x: number) => number): Value =>
      build.graph.addInitializer(
        name,
        tensorFromNumbers(
          'float32',
          Array.from({ length: 16 * 8 }, (_, at) => turn(Math.floor(at / 8) / 2 ** (at % 8))),
          [16, 8],
        ),
      );
    const inputs = [q, k, v, null, null, last, total, table('cos', Math.cos), table('sin', Math.sin)];
    const y = build.op('GroupQueryAttention', inputs, 'y', { num_heads: 4, kv_num_heads: 2, do_rotary: 1 }, CONTRIB);
    const feeds = { q: waves([1, 6, 64]), k: waves([1, 6, 32], 2), v: waves([1, 6, 32], 3) };
    const { largest } = await differenceOf(engine, finish(build, y), feeds, { ...FLOAT32, target });
    expect(largest).toBeLessThan(1e-5);
  });
});

describe('recurrent layers', () => {
  interface Layer {
    readonly type: 'LSTM' | 'GRU' | 'RNN';
    readonly gates: number;
    readonly direction: 'forward' | 'reverse' | 'bidirectional';
    readonly attributes?: Readonly<Record<string, number>>;
    readonly states?: boolean;
    readonly peephole?: boolean;
    readonly plainBias?: boolean;
  }

  function recurrent({
    type,
    gates,
    direction,
    attributes = {},
    states = true,
    peephole = false,
    plainBias,
  }: Layer): Model {
    const build = new ModelBuilder();
    const [hidden, count] = [4, direction === 'bidirectional' ? 2 : 1];
    const x = build.input('x', [5, 2, 3]);
    const w = build.weight('w', [count, gates * hidden, 3], 0.5);
    const r = build.weight('r', [count, gates * hidden, hidden], 0.5);
    const b = build.weight('b', [count, 2 * gates * hidden], plainBias ? 0 : 0.5);
    const inputs: (Value | null)[] = [x, w, r, b];
    if (states) inputs.push(null, build.weight('h', [count, 2, hidden], 0.5));
    if (type === 'LSTM' && states) inputs.push(build.weight('c', [count, 2, hidden], 0.5));
    if (peephole) inputs.push(build.weight('p', [count, 3 * hidden], 0.5));
    const { graph } = build;
    const y = build.op(type, inputs, 'y', {
      hidden_size: hidden,
      direction: stringAttribute(direction),
      ...attributes,
    });
    const node = y.producer;
    for (const [index, name] of ['y_h', ...(type === 'LSTM' ? ['y_c'] : [])].entries())
      node?.setOutput(index + 1, graph.createValue(name));
    return finish(build, ...((node?.outputs ?? []) as Value[]));
  }

  const LAYERS: readonly (readonly [string, Layer])[] = [
    ['an LSTM', { type: 'LSTM', gates: 4, direction: 'forward' }],
    ['an LSTM without states', { type: 'LSTM', gates: 4, direction: 'forward', states: false }],
    ['an LSTM with peepholes in reverse', { type: 'LSTM', gates: 4, direction: 'reverse', peephole: true }],
    ['an LSTM of both directions', { type: 'LSTM', gates: 4, direction: 'bidirectional', peephole: true }],
    ['an RNN of both directions', { type: 'RNN', gates: 1, direction: 'bidirectional' }],
    [
      'a GRU that resets after',
      { type: 'GRU', gates: 3, direction: 'bidirectional', attributes: { linear_before_reset: 1 } },
    ],
    ['a GRU that resets before, in reverse', { type: 'GRU', gates: 3, direction: 'reverse' }],
    [
      "a GRU of Core ML's own kind",
      { type: 'GRU', gates: 3, direction: 'forward', attributes: { linear_before_reset: 1 }, plainBias: true },
    ],
  ];
  const OPTIONS: readonly (readonly [CoremlOptions['target'], CoremlOptions['precision'], number])[] = [
    ['iOS15', 'float32', 1e-5],
    ['iOS16', 'float16', 5e-3],
    ['iOS17', 'float16', 5e-3],
  ];
  const CASES = LAYERS.flatMap(([name, layer]) => OPTIONS.map((option) => [name, layer, ...option] as const));

  it.each(CASES)('%s gives sequences and states (%#)', async (_name, layer, target, precision, tolerance) => {
    const { largest, package: made } = await differenceOf(
      engine,
      recurrent(layer),
      { x: waves([5, 2, 3]) },
      { target, precision },
    );
    expect(largest).toBeLessThan(tolerance);
    const isOwn = layer.type !== 'GRU' || layer.plainBias === true;
    expect(made.main.operations.some(({ type }) => type === layer.type.toLowerCase())).toBe(isOwn);
  });

  it('with an activation that Core ML lacks is refused by name', async () => {
    const model = recurrent({ type: 'RNN', gates: 1, direction: 'forward' });
    const node = model.graph.outputs[0]?.producer;
    node?.attributes.set('activations', stringsAttribute(['Softplus']));
    await expect(differenceOf(engine, model, { x: waves([5, 2, 3]) })).rejects.toMatchObject({
      code: 'operator-unsupported',
      message: expect.stringContaining('has no activation Softplus'),
    });
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
