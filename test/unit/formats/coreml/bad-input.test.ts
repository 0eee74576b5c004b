/** Names, shapes and files that make trouble: what comes of them, and what is said. */
import { existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { raise } from '../../../../native-workers/formats/coreml/raise.ts';
import { readPackage } from '../../../../native-workers/formats/coreml/read-package.ts';
import type { Model } from '../../../../native-workers/graph/model.ts';
import { tensorFromInt64 } from '../../../../native-workers/graph/tensor-values.ts';
import type { Value } from '../../../../native-workers/graph/value.ts';
import { HoneError } from '../../../../native-workers/protocol/errors.ts';
import { openEngine } from '../../../../native-workers/runtimes/onnxruntime.ts';
import { coverageOf, differenceOf, finish, waves, writeCoreml } from '../../../helpers/coreml.ts';
import { ModelBuilder } from '../../../helpers/models.ts';
import { type Fields, wire } from '../../../helpers/wire.ts';

const engine = await openEngine();
const FLOAT32 = { precision: 'float32' } as const;
const WEIGHTS = 'Data/com.apple.CoreML/weights/weight.bin';
const MODEL = 'Data/com.apple.CoreML/model.mlmodel';

describe('names', () => {
  it('that become one when made identifiers stay apart', async () => {
    const build = new ModelBuilder();
    const names = ['a.b', 'a/b', 'a_b', 'a_b_1', '1', 'tensor', 'é', 'ü'];
    const inputs = names.map((name) => build.input(name, [2]));
    const sums = inputs.map((input, index) => build.op('Mul', [input, build.weight(`w:${index}`, [2])], `y/${index}`));
    const model = finish(build, ...sums);
    const feeds = Object.fromEntries(names.map((name, index) => [name, waves([2], index + 1)]));
    const { largest, package: made } = await differenceOf(engine, model, feeds, FLOAT32);
    expect(largest).toBeLessThan(1e-6);
    const { signature } = made.written;
    const features = [...signature.inputs, ...signature.outputs].map(({ name }) => name);
    expect(new Set(features).size).toBe(features.length);
    for (const name of features) expect(name).toMatch(/^[A-Za-z_][A-Za-z0-9_]*$/);
    // The app's developer finds the source's name beside each.
    expect(signature.inputs.map(({ source }) => source)).toEqual(names);
  });
});

describe('shapes', () => {
  const reasons = async (model: Model): Promise<string[]> =>
    (await coverageOf(engine, model)).unsupported.map(({ reason }) => reason);

  it('without elements are refused by the name of the value', async () => {
    const build = new ModelBuilder();
    const empty = finish(build, build.op('Relu', [build.input('nothing', [2, 0, 3])], 'y'));
    expect((await reasons(empty))[0]).toContain('is empty, and Core ML has no empty tensors');
    const sliced = new ModelBuilder();
    const bounds = [5, 9].map((at) => sliced.graph.addInitializer(`at${at}`, tensorFromInt64([at], [1])));
    const none = sliced.op('Slice', [sliced.input('x', [3]), ...bounds], 'rest');
    expect(await reasons(finish(sliced, none))).toEqual(["'rest' is empty, and Core ML has no empty tensors"]);
  });

  it('without elements are left out where something is joined to them', async () => {
    const build = new ModelBuilder();
    const x = build.input('x', [4, 2]);
    const bounds = [4, 9].map((at) => build.graph.addInitializer(`at${at}`, tensorFromInt64([at], [1])));
    const rest = build.op('Slice', [x, ...bounds], 'rest');
    const model = finish(build, build.op('Concat', [x, rest], 'y', { axis: 0 }));
    expect((await differenceOf(engine, model, { x: waves([4, 2]) }, FLOAT32)).largest).toBe(0);
  });

  it('of six dimensions are refused by name, at the ends and inside', async () => {
    const shape = [1, 2, 1, 2, 1, 2];
    const outer = new ModelBuilder();
    const six = finish(outer, outer.op('Relu', [outer.input('six', shape)], 'y'));
    expect((await reasons(six))[0]).toBe("'six' has 6 dimensions, and Core ML has at most 5");
    const build = new ModelBuilder();
    const shapes = [shape, [8]].map((each, index) =>
      build.graph.addInitializer(`shape${index}`, tensorFromInt64(each, [each.length])),
    ) as [Value, Value];
    const wide = build.op('Reshape', [build.input('x', [2, 4]), shapes[0]], 'wide');
    const turned = build.op('Transpose', [wide], 'turned', { perm: [5, 4, 3, 2, 1, 0] });
    const inside = finish(build, build.op('Reshape', [turned, shapes[1]], 'y'));
    const { unsupported } = await coverageOf(engine, inside);
    expect(unsupported[0]).toMatchObject({ node: 'wide_node', type: 'Reshape' });
    expect(unsupported[0]?.reason).toBe("'wide' has 6 dimensions, and Core ML has at most 5");
    await expect(writeCoreml(engine, inside)).rejects.toMatchObject({ code: 'operator-unsupported' });
  });
});

describe('files', () => {
  async function written(): Promise<string> {
    const build = new ModelBuilder();
    const conv = build.op('Conv', [build.input('x', [1, 3, 8, 8]), build.weight('w', [4, 3, 3, 3])], 'y');
    return (await writeCoreml(engine, finish(build, conv), FLOAT32)).path;
  }

  /** What reading the package and all of its weights gives. */
  function errorOf(path: string): HoneError {
    try {
      const { graph } = raise(readPackage(path).main);
      for (const { tensor } of graph.initializers) tensor?.data.read();
    } catch (thrown) {
      expect(thrown).toBeInstanceOf(HoneError);
      return thrown as HoneError;
    }
    throw new Error('it was read');
  }

  it('whose weights are cut name the file and the byte', async () => {
    const path = await written();
    truncateSync(join(path, WEIGHTS), 200);
    expect(errorOf(path)).toMatchObject({
      code: 'file-corrupt',
      where: { file: join(path, WEIGHTS), offset: 64 },
      message: expect.stringContaining('outside the weight file'),
    });
    rmSync(join(path, WEIGHTS));
    expect(errorOf(path)).toMatchObject({
      code: 'file-corrupt',
      message: expect.stringContaining('not in the package'),
    });
  });

  it('whose program is cut or no protobuf name the file and the byte', async () => {
    const path = await written();
    const model = join(path, MODEL);
    const bytes = readFileSync(model);
    writeFileSync(model, bytes.subarray(0, bytes.length - 40));
    expect(errorOf(path)).toMatchObject({ kind: 'input', where: { file: model } });
    writeFileSync(model, Buffer.from('this is no protobuf, however long one looks at it'));
    expect(errorOf(path)).toMatchObject({ kind: 'input', where: { file: model } });
    writeFileSync(model, '');
    expect(errorOf(path)).toMatchObject({
      code: 'format-unsupported',
      message: expect.stringContaining('no ML Program'),
    });
  });

  it('whose manifest points out of the package, or nowhere, are refused', async () => {
    const path = await written();
    const manifest = join(path, 'Manifest.json');
    const text = readFileSync(manifest, 'utf8');
    writeFileSync(manifest, text.replaceAll('com.apple.CoreML/model.mlmodel', '../../../etc/passwd'));
    expect(errorOf(path)).toMatchObject({
      code: 'file-corrupt',
      message: expect.stringContaining('out of the package'),
    });
    writeFileSync(manifest, text.replaceAll('com.apple.CoreML/model.mlmodel', 'com.apple.CoreML/other.mlmodel'));
    expect(errorOf(path)).toMatchObject({ code: 'file-corrupt', message: expect.stringContaining('other.mlmodel') });
    writeFileSync(manifest, '{');
    expect(errorOf(path)).toMatchObject({ code: 'file-corrupt', message: expect.stringContaining('Manifest.json') });
    rmSync(manifest);
    expect(existsSync(manifest)).toBe(false);
    expect(errorOf(path)).toMatchObject({ code: 'file-corrupt', message: expect.stringContaining('Manifest.json') });
  });

  /** A program of one input x of two floats and these operations, of which the last makes y. */
  async function program(...operations: Fields[]): Promise<string> {
    const path = await written();
    const block = wire([[2, 'y'], ...operations.map((operation) => [3, operation] as const)]);
    const body: Fields = [
      [
        1,
        [
          [1, 'x'],
          [2, FLOATS],
        ],
      ],
      [2, 'CoreML6'],
      [
        3,
        [
          [1, 'CoreML6'],
          [2, block],
        ],
      ],
    ];
    const bytes = wire([
      [1, 7],
      [
        502,
        [
          [1, 1],
          [
            2,
            [
              [1, 'main'],
              [2, body],
            ],
          ],
        ],
      ],
    ]);
    writeFileSync(join(path, MODEL), bytes);
    return path;
  }
  const FLOATS: Fields = [
    [
      1,
      [
        [1, 11],
        [2, 1],
        [3, [[1, [[1, 2]]]]],
      ],
    ],
  ];
  const operation = (type: string, from: string, to: string, ...more: Fields): Fields => [
    [1, type],
    [
      2,
      [
        [1, 'x'],
        [2, [[1, [[1, from]]]]],
      ],
    ],
    [
      3,
      [
        [1, to],
        [2, FLOATS],
      ],
    ],
    ...more,
  ];

  it.each([
    ['operator-unsupported', 'The MIL operation fly is not read', [operation('fly', 'x', 'y')]],
    ['file-corrupt', 'reads z before it is made', [operation('relu', 'z', 'y')]],
    ['file-corrupt', 'makes y twice', [operation('relu', 'x', 'y'), operation('relu', 'x', 'y')]],
    ['file-corrupt', 'The operation add lacks its y', [operation('add', 'x', 'y')]],
    ['format-unsupported', 'a block in relu', [operation('relu', 'x', 'y', [4, []])]],
    ['file-corrupt', 'reads y before it is made', []],
  ] as const)('that say what cannot be give %s: %s', async (code, message, operations) => {
    const path = await program(...operations);
    expect(errorOf(path)).toMatchObject({ code, message: expect.stringContaining(message) });
  });

  it('with a program by hand are read where nothing is wrong', async () => {
    const path = await program(operation('relu', 'x', 'y'));
    expect([...raise(readPackage(path).main).graph.nodes].map(({ opType }) => opType)).toEqual(['Relu', 'Identity']);
  });
});
