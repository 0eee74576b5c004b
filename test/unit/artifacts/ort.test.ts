import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ort } from '../../../native-workers/artifacts/ort.ts';
import { ORT_DEFAULTS, type OrtOptions } from '../../../native-workers/artifacts/ort-options.ts';
import type { TargetContext } from '../../../native-workers/artifacts/target.ts';
import { writeOnnx } from '../../../native-workers/formats/onnx/write.ts';
import { ortNodes, readOrtOperators } from '../../../native-workers/formats/ort/operators.ts';
import { type Attribute, intAttribute } from '../../../native-workers/graph/attribute.ts';
import { Graph } from '../../../native-workers/graph/graph.ts';
import type { Model } from '../../../native-workers/graph/model.ts';
import { tensorFromNumbers } from '../../../native-workers/graph/tensor-values.ts';
import { tensorType } from '../../../native-workers/graph/types.ts';
import { openEngine } from '../../../native-workers/runtimes/onnxruntime.ts';
import { openWasmEngine } from '../../../native-workers/runtimes/onnxruntime-web.ts';
import { ModelBuilder, tinyClassifier, tinyQuantized, unread } from '../../helpers/models.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

const engine = await openEngine();

async function write(model: Model, options: Partial<OrtOptions> = {}, companions: Model[] = [], name = 'model') {
  const folder = temporaryFolder();
  const scratch = join(folder, 'scratch');
  const out = join(folder, 'out');
  for (const path of [scratch, out]) await mkdir(path);
  const save = async (each: Model, file: string): Promise<string> => {
    await writeOnnx(each, join(folder, file));
    return join(folder, file);
  };
  const context: TargetContext = {
    engine,
    source: await save(model, `${name}.onnx`),
    scratch,
    companions: await Promise.all(companions.map((each, index) => save(each, `other${index}.onnx`))),
    prepared: () => Promise.reject(new Error('not needed')),
    progress: async () => undefined,
  };
  const written = await ort.write(model, out, { style: 'fixed', platform: 'arm', ...options }, context);
  const bytes = new Uint8Array(readFileSync(join(out, written.path)));
  const text = (file: string): string => readFileSync(join(out, file), 'utf8');
  return {
    written,
    bytes,
    out,
    path: join(out, written.path),
    plain: text('required_operators.config'),
    types: text('required_operators_and_types.config'),
  };
}

const nodesOf = (bytes: Uint8Array) => ortNodes(new Uint8Array(bytes), 'x.ort');

/** Wide enough for ONNX Runtime to choose its blocked layout where it may. */
function convolution(): Model {
  const build = new ModelBuilder();
  const x = build.input('x', [1, 16, 8, 8]);
  const one = build.op(
    'Relu',
    [build.op('Conv', [x, build.weight('w', [32, 16, 3, 3]), build.weight('b', [32])], 'c')],
    'r',
  );
  return build.outputs(build.op('Conv', [one, build.weight('w2', [16, 32, 1, 1])], 'y')).model();
}

/** Relu or Sigmoid: operators that stand in subgraphs only. */
function branches(): Model {
  const build = new ModelBuilder('outer');
  const condition = build.input('condition', [], 'bool');
  const x = build.input('x', [4]);
  const branch = (opType: string): Attribute => {
    const graph = new Graph(opType);
    const y = graph.createValue(`${opType}_out`, tensorType('float32', [4]));
    graph.addNode({ opType, inputs: [x], outputs: [y] });
    graph.outputs.push(y);
    return { type: 'graph', value: graph };
  };
  const y = build.op('If', [condition], 'y', { then_branch: branch('Relu'), else_branch: branch('Sigmoid') });
  return build.outputs(y).model();
}

describe('ort', () => {
  it.each([
    { style: 'fixed', platform: 'arm' },
    { style: 'fixed', platform: 'amd64' },
    { style: 'runtime', platform: 'arm' },
    { style: 'runtime', platform: 'amd64' },
  ] as const)('writes $style for $platform without a layout of this machine, for both runtimes', async (options) => {
    const { written, bytes, path } = await write(convolution(), options);
    const operators = readOrtOperators(bytes, path);
    expect(operators.map(({ domain }) => domain)).not.toContain('com.microsoft.nchwc');
    expect(operators.map(({ type }) => type)).toContain(options.style === 'fixed' ? 'FusedConv' : 'Conv');
    expect(written.path).toBe(options.style === 'fixed' ? 'model.ort' : 'model.with_runtime_opt.ort');
    const x = { dtype: 'float32', shape: [1, 16, 8, 8], data: new Float32Array(1024).fill(0.5) } as const;
    const [native, web] = await Promise.all(
      [engine, await openWasmEngine()].map(async (each) => (await each.open(bytes)).run({ x })),
    );
    const values = [...(native?.['y']?.data ?? [])].map(Number);
    expect(values).toHaveLength(16 * 6 * 6);
    expect(Math.max(...values.map((value, index) => Math.abs(value - Number(web?.['y']?.data[index]))))).toBeLessThan(
      1e-5,
    );
  });

  it('writes both styles for both processors, each file what it would be alone, with one list for all of them', async () => {
    const all = await write(tinyQuantized(), { style: 'all', platform: 'all' });
    const files = [all.written.path, ...(all.written.variants ?? []).map(({ path }) => path)];
    expect(files).toEqual([
      'model.ort',
      'model.with_runtime_opt.ort',
      'model.amd64.ort',
      'model.amd64.with_runtime_opt.ort',
    ]);
    expect(all.written.files).toEqual([...files, 'required_operators.config', 'required_operators_and_types.config']);
    // What one rounding to another integer is worth.
    expect(all.written.signature.outputs[0]?.step).toBeCloseTo(0.01);
    const lists = new Set<string>();
    for (const [index, path] of files.entries()) {
      const options = index === 0 ? all.written.options : all.written.variants?.[index - 1]?.options;
      const alone = await write(tinyQuantized(), options as OrtOptions);
      expect(alone.written.path).toBe(path);
      // ONNX Runtime writes the weights in no fixed order, so bytes cannot be compared.
      expect(nodesOf(readFileSync(join(all.out, path)))).toEqual(nodesOf(alone.bytes));
      for (const { type } of readOrtOperators(alone.bytes, path)) lists.add(type);
    }
    for (const type of lists) expect(all.plain).toMatch(new RegExp(`[;,]${type}(,|\n)`));
    expect(lists).toContain('QLinearConv');
  });

  it('writes one file for both processors of a model without quantized operators, where two would be the same', async () => {
    const { written, bytes } = await write(convolution(), { style: 'fixed', platform: 'all' });
    expect([written.path, written.variants]).toEqual(['model.ort', []]);
    expect(written.notes.join()).toContain('ARM and x86-64 alike');
    // That they are the same is ONNX Runtime's doing: the option of the platform changes no node.
    const path = join(temporaryFolder(), 'amd64.ort');
    const source = join(temporaryFolder(), 'model.onnx');
    await writeOnnx(convolution(), source);
    const config = { 'optimization.disable_specified_optimizers': 'NchwcTransformer' };
    await (await engine.open(source, { optimization: 'all', optimizedModelPath: path, config })).release();
    expect(nodesOf(readFileSync(path))).toEqual(nodesOf(bytes));
    expect(readFileSync(path)).toHaveLength(bytes.length);
  });

  it('names each node that ONNX Runtime refuses, with its reason', async () => {
    const coverage = async (model: Model) => {
      const source = join(temporaryFolder(), 'model.onnx');
      await writeOnnx(model, source);
      const context = {
        engine,
        source,
        scratch: '',
        prepared: () => Promise.reject(new Error()),
        progress: async () => undefined,
      };
      return ort.coverage(model, ORT_DEFAULTS, context);
    };
    const build = new ModelBuilder();
    const one = build.op('Relu', [build.input('x', [2])], 'one');
    const two = build.op('Magic', [one], 'two', {}, 'com.example');
    const three = build.op('Wonder', [build.op('Magic', [two], 'two_b', {}, 'com.example')], 'three');
    const unknown = build.outputs(build.op('Sigmoid', [three], 'y')).model();
    unknown.opsets.set('com.example', 1);
    const found = await coverage(unknown);
    expect([found.nodes, found.supported]).toEqual([5, 2]);
    expect(found.unsupported.map(({ node, type }) => `${type} ${node}`)).toEqual([
      'com.example:Magic two_node',
      'com.example:Magic two_b_node',
      'Wonder three_node',
    ]);
    for (const { reason } of found.unsupported)
      expect(reason).toMatch(/refuses it: .*is not a registered|No Op registered/);
    // A node whose operator is known, and that is wrong by itself.
    const wrong = new ModelBuilder();
    const bits = wrong.input('bits', [2], 'bool');
    const refused = await coverage(wrong.outputs(wrong.op('Sigmoid', [bits], 'z')).model());
    expect(refused.unsupported).toMatchObject([
      { node: 'z_node', type: 'Sigmoid', reason: expect.stringContaining('bool') },
    ]);
    expect(await coverage(tinyClassifier())).toMatchObject({ nodes: 5, supported: 5, unsupported: [] });
  });

  it('keeps what it did not bake as records, and lists the fused kernels all the same', async () => {
    const { bytes, plain } = await write(convolution(), { style: 'runtime' });
    expect(Buffer.from(bytes).includes('ConvActivationFusion')).toBe(true);
    expect(plain).toContain('com.microsoft;1;FusedConv\n');
    expect(plain).toContain('ai.onnx;11;Conv\n');
    expect(Buffer.from((await write(convolution())).bytes).includes('ConvActivationFusion')).toBe(false);
  });

  it('lists exactly the operators of a small model, with their types', async () => {
    const build = new ModelBuilder();
    const ids = build.op('Cast', [build.input('x', [2])], 'ids', { to: intAttribute(7) });
    const { plain, types } = await write(
      build.outputs(build.op('Gather', [build.weight('table', [4, 3]), ids], 'y')).model(),
    );
    expect(plain.split('\n').slice(1)).toEqual(['ai.onnx;13;Cast,Gather', '']);
    expect(types.split('\n').slice(1)).toEqual([
      'ai.onnx;13;Cast{"inputs":{"0":["float"]},"outputs":{"0":["int64_t"]}},Gather{"inputs":{"0":["float"],"1":["int64_t"]}}',
      '',
    ]);
  });

  it('lists operators of subgraphs', async () => {
    const { types } = await write(branches());
    expect(types).toContain('Relu{"inputs":{"0":["float"]}}');
    expect(types).toContain('Sigmoid{"inputs":{"0":["float"]}}');
    expect(types).toMatch(/ai\.onnx;16;If\n/);
  });

  it('lists the operators of all models of the package', async () => {
    const alone = await write(tinyClassifier());
    const together = await write(tinyClassifier(), {}, [branches()]);
    expect(alone.plain).not.toContain('Sigmoid');
    expect(together.plain).toContain('Sigmoid');
    expect(together.plain).toContain('Gemm');
  });

  it('asks for no input that the model has a default for', async () => {
    const build = new ModelBuilder();
    const shape = build.graph.addInitializer('shape', tensorFromNumbers('int64', [2, 3], [2]));
    build.graph.inputs.push(shape);
    const y = build.op(
      'Add',
      [build.input('x', [2, 3]), build.op('Reshape', [build.weight('w', [6]), shape], 'r')],
      'y',
    );
    const { bytes, written } = await write(build.outputs(y).model(11, 3));
    expect(written.signature.inputs.map(({ name }) => name)).toEqual(['x']);
    const x = { dtype: 'float32', shape: [2, 3], data: new Float32Array(6) } as const;
    expect((await (await engine.open(bytes)).run({ x }))['y']?.shape).toEqual([2, 3]);
  });

  it('tells its operators, with the nodes that they are of', async () => {
    const { bytes, path, written } = await write(convolution());
    const operators = ortNodes(bytes, path);
    const last = operators.find(({ outputs }) => outputs.includes('y'));
    expect(last).toMatchObject({ type: 'Conv', sources: ['y_node'] });
    expect(operators.map(({ index }) => index)).toEqual(operators.map((_, index) => index));
    expect(await written.operators?.()).toEqual(operators);
    expect(operators.find(({ outputs }) => outputs.includes('r'))?.type).toBe('FusedConv');
  });

  it('asks for the newer of the format and the model', async () => {
    const { written } = await write(tinyClassifier());
    expect(written.requires).toEqual({ 'ONNX Runtime': '1.16' });
    const build = new ModelBuilder();
    const newer = build.outputs(build.op('Relu', [build.input('x', [2])], 'y')).model(21, 10);
    expect((await write(newer)).written.loads?.slice(0, 2)).toEqual([
      { where: 'ONNX Runtime', minimum: '1.18', why: 'opset 21' },
      { where: 'ONNX Runtime Web', minimum: '1.18', why: 'opset 21' },
    ]);
  });

  it('takes names with spaces and other letters', async () => {
    expect((await write(tinyClassifier(), {}, [], 'mein Módell (2)')).written.path).toBe('mein_Modell_2_.ort');
    expect((await write(tinyClassifier(), {}, [], '模型')).written.path).toBe('model.ort');
  });

  it('refuses a model whose weights no file of 2 GB holds, before it writes', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', [1]);
    const huge = build.graph.addInitializer('huge', unread(2 ** 32, 'float32', [1 << 29, 2]));
    const model = build.outputs(build.op('Add', [x, huge], 'y')).model();
    const context = {
      engine,
      source: 'huge.onnx',
      scratch: '',
      prepared: () => Promise.reject(new Error()),
      progress: async () => undefined,
    };
    const refused = { code: 'artifact-too-large', message: expect.stringContaining('4.29 GB') };
    await expect(ort.write(model, temporaryFolder(), ORT_DEFAULTS, context)).rejects.toMatchObject(refused);
    await expect(ort.coverage(model, ORT_DEFAULTS, context)).rejects.toMatchObject(refused);
  });
});

describe('readOrtOperators', () => {
  it('refuses what is no ORT-format file, and damaged ones, with the file in the error', async () => {
    const { bytes } = await write(tinyClassifier());
    const read =
      (changed: Uint8Array): (() => unknown) =>
      () =>
        readOrtOperators(changed, 'x.ort');
    expect(read(new Uint8Array(0))).toThrowError(
      expect.objectContaining({ code: expect.stringMatching(/file-(not-a-model|corrupt)/) }),
    );
    expect(read(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9))).toThrowError(
      expect.objectContaining({ code: 'file-not-a-model' }),
    );
    let refused = 0;
    for (let at = 0; at < bytes.length; at += 37) {
      for (const value of [0xff, 0x7f]) {
        const changed = bytes.slice();
        changed[at] = value;
        try {
          readOrtOperators(changed, 'x.ort');
        } catch (thrown) {
          refused++;
          expect(thrown).toMatchObject({ where: { file: 'x.ort' } });
        }
      }
    }
    expect(refused).toBeGreaterThan(0);
    expect(read(bytes.slice(0, 200))).toThrowError(expect.objectContaining({ code: 'file-corrupt' }));
  });
});
