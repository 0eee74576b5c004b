/** Makes the files of `models.json`: each builder puts a file (and what belongs beside it) at the path it is given. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { onnxBytes, writeOnnx } from '../../native-workers/formats/onnx/write.ts';
import type { Model } from '../../native-workers/graph/model.ts';
import { ModelBuilder, tinyClassifier } from '../helpers/models.ts';
import { type Field, type Fields, wire } from '../helpers/wire.ts';

type Builder = (path: string) => void | Promise<void>;

const FLOAT = 1;
const typed = (...dims: (number | bigint)[]): Fields => [
  [
    1,
    [
      [1, FLOAT],
      [2, dims.map((dim) => [1, [[1, dim]]] as const)],
    ],
  ],
];
const info = (name: string, type: Fields = typed(2)): Fields => [
  [1, name],
  [2, type],
];
const node = (opType: string, inputs: string[], outputs: string[], ...rest: Fields): Field => [
  1,
  [...inputs.map((name) => [1, name] as const), ...outputs.map((name) => [2, name] as const), [4, opType], ...rest],
];
const X: Field = [11, info('x')];
const Y: Field = [12, info('y')];
const RELU = [node('Relu', ['x'], ['y']), X, Y] as const;

/** A model file around the fields of a graph. */
const model = (...graph: Fields): Buffer =>
  wire([
    [1, 8],
    [7, [[2, 'g'], ...graph]],
    [
      8,
      [
        [1, ''],
        [2, 17],
      ],
    ],
  ]);
const bytes =
  (content: Uint8Array | string): Builder =>
  (path) =>
    writeFileSync(path, content);
const onnx = (...graph: Fields): Builder => bytes(model(...graph));
const tensor = (...fields: Fields): Builder => onnx(...RELU, [5, [...fields, [8, 'w']]]);
const external = (...entries: (readonly [string, string])[]): Fields => [
  ...entries.map(
    ([key, value]) =>
      [
        13,
        [
          [1, key],
          [2, value],
        ],
      ] as const,
  ),
  [14, 1],
];
const externalTensor = (...entries: (readonly [string, string])[]): Builder =>
  tensor([1, 4], [2, FLOAT], ...external(...entries));
const head = (hex: string, length = 64): Builder =>
  bytes(Buffer.concat([Buffer.from(hex, 'hex'), Buffer.alloc(length, 1)]));
const text = (start: string): Builder => bytes(Buffer.concat([Buffer.from(start), Buffer.alloc(64, 2)]));
const branch = (name: string, graph: Fields): Field => [
  5,
  [
    [1, name],
    [6, graph],
    [20, 5],
  ],
];

/** A graph in a graph in a graph, `depth` times. */
function nested(depth: number): Buffer {
  let graph: Buffer = wire([[2, 'innermost']]);
  for (let level = 0; level < depth; level++)
    graph = wire([
      node(
        'If',
        [],
        [`v${level}`],
        [
          5,
          [
            [1, 'then_branch'],
            [6, graph],
            [20, 5],
          ],
        ],
      ),
    ]);
  return wire([
    [1, 8],
    [7, graph],
  ]);
}

function longChain(nodes: number): Uint8Array {
  const build = new ModelBuilder('chain');
  let value = build.input('x', [4]);
  for (let index = 0; index < nodes; index++) value = build.op('Relu', [value], `v${index}`);
  return onnxBytes(build.outputs(value).model());
}

/** A product with a weight of 8 kB, and a sum. */
function twoWeights(): Model {
  const build = new ModelBuilder();
  const product = build.op('MatMul', [build.input('x', [1, 64]), build.weight('large', [64, 32])], 'product');
  return build.outputs(build.op('Add', [product, build.weight('small', [32])], 'sum')).model();
}

export const BUILDERS: Readonly<Record<string, Builder>> = {
  tiny: (path) => writeFileSync(path, onnxBytes(tinyClassifier())),
  external: async (path) => void (await writeOnnx(twoWeights(), path, { external: 'always' })),
  'no-nodes': onnx(X, [12, info('x')]),
  subgraph: onnx(
    node('If', ['x'], ['y'], branch('then_branch', [node('Neg', ['x'], ['inner']), [12, info('inner')]])),
    X,
    Y,
  ),
  'unknown-operator': onnx(node('Teleport', ['x'], ['y'], [7, 'com.example']), X, Y),
  'future-opset': bytes(
    wire([
      [1, 99],
      [7, [[2, 'g'], ...RELU]],
      [
        8,
        [
          [1, ''],
          [2, 99],
        ],
      ],
    ]),
  ),
  'shadowed-name': onnx(
    node('Neg', ['x'], ['shadowed']),
    node('If', ['x'], ['y'], branch('then_branch', [node('Abs', ['x'], ['shadowed']), [12, info('shadowed')]])),
    X,
    Y,
  ),
  'no-extension': (path) => writeFileSync(path, onnxBytes(tinyClassifier())),
  'hundred-thousand-nodes': (path) => writeFileSync(path, longChain(100_000)),

  missing: () => undefined,
  folder: (path) => {
    mkdirSync(path);
  },
  'saved-model': (path) => {
    mkdirSync(path);
    writeFileSync(join(path, 'saved_model.pb'), 'x');
  },
  empty: bytes(''),
  text: bytes('These are my notes about the model.\n'),
  'web-page': bytes('<!DOCTYPE html>\n<html><head><title>Sign in</title></head></html>'),
  'lfs-pointer': bytes('version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 1234567\n'),
  noise: bytes(Uint8Array.from({ length: 256 }, (_, index) => (index * 167 + 13) % 256)),
  png: head('89504e470d0a1a0a'),
  tensor: bytes(
    wire([
      [1, 2],
      [2, FLOAT],
      [8, 'x'],
      [9, new Uint8Array(8)],
    ]),
  ),
  tflite: text('\u001c\0\0\0TFL3'),
  ort: text('\u0018\0\0\0ORTM'),
  hdf5: head('894844460d0a1a0a'),
  zip: head('504b0304'),
  pickle: head('80028a0a6c'),
  safetensors: bytes(
    Buffer.concat([Buffer.from([64, 0, 0, 0, 0, 0, 0, 0]), Buffer.from('{"w":{"dtype":"F32"}}'.padEnd(64))]),
  ),
  gguf: text('GGUF\u0003\0\0\0'),
  coreml: bytes(
    wire([
      [1, 4],
      [2, [[1, [[1, 'image']]]]],
      [500, [[1, 'layer']]],
    ]),
  ),
  'frozen-graph': bytes(
    wire([
      [
        1,
        [
          [1, 'input'],
          [2, 'Placeholder'],
        ],
      ],
      [4, [[1, 1087]]],
    ]),
  ),

  truncated: (path) => writeFileSync(path, onnxBytes(tinyClassifier()).subarray(0, 200)),
  'truncated-weights': (path) => writeFileSync(path, onnxBytes(twoWeights()).subarray(0, 4000)),
  'no-graph': bytes(
    wire([
      [1, 8],
      [2, 'somebody'],
      [
        8,
        [
          [1, ''],
          [2, 17],
        ],
      ],
    ]),
  ),
  'bad-length': (path) => {
    const content = model(...RELU);
    content[content.indexOf('Relu') - 1] = 120;
    writeFileSync(path, content);
  },
  'endless-number': bytes(Buffer.concat([wire([[1, 8]]), Buffer.from([0x28]), Buffer.alloc(20, 0xff), model(...RELU)])),
  'too-deep': bytes(nested(200)),
  'overflowing-dims': tensor([1, 2n ** 40n], [1, 2n ** 40n], [2, FLOAT], [9, new Uint8Array(4)]),
  'overflowing-input': onnx([11, info('x', typed(2n ** 40n, 2n ** 40n))], node('Relu', ['x'], ['y']), Y),
  'negative-dims': tensor([1, -4n], [2, FLOAT], [9, new Uint8Array(4)]),
  'claims-terabytes': tensor([1, 2n ** 40n], [2, FLOAT], [9, new Uint8Array(4)]),
  'claims-typed-terabytes': tensor([1, 2n ** 40n], [2, 7], [7, new Uint8Array(4)]),
  'unknown-dtype': tensor([1, 1], [2, 77], [9, new Uint8Array(4)]),
  'no-dtype': tensor([1, 1], [9, new Uint8Array(4)]),
  'attribute-twice': onnx(
    node(
      'Relu',
      ['x'],
      ['y'],
      [
        5,
        [
          [1, 'a'],
          [3, 1],
          [20, 2],
        ],
      ],
      [
        5,
        [
          [1, 'a'],
          [3, 2],
          [20, 2],
        ],
      ],
    ),
    X,
    Y,
  ),
  'missing-input': onnx(node('Add', ['x', 'ghost'], ['y']), X, Y),
  'missing-output': onnx(X, Y),
  'inner-name-outside': onnx(
    node('If', ['x'], ['z'], branch('then_branch', [node('Neg', ['x'], ['inner']), [12, info('inner')]])),
    node('Abs', ['inner'], ['y']),
    X,
    Y,
  ),
  'duplicate-name': onnx(...RELU, node('Abs', ['x'], ['y'])),
  'duplicate-weight': onnx(
    ...RELU,
    [
      5,
      [
        [1, 1],
        [2, FLOAT],
        [8, 'w'],
        [9, new Uint8Array(4)],
      ],
    ],
    [
      5,
      [
        [1, 1],
        [2, FLOAT],
        [8, 'w'],
        [9, new Uint8Array(4)],
      ],
    ],
  ),
  cycle: onnx(node('Add', ['x', 'b'], ['y']), node('Relu', ['y'], ['b']), X, Y),
  'self-cycle': onnx(node('Add', ['x', 'y'], ['y']), X, Y),
  'external-missing': externalTensor(['location', 'elsewhere.bin']),
  'external-outside': externalTensor(['location', '../../etc/passwd']),
  'external-absolute': externalTensor(['location', '/etc/passwd']),
  'external-range': (path) => {
    writeFileSync(join(dirname(path), 'short.bin'), new Uint8Array(8));
    return externalTensor(['location', 'short.bin'], ['offset', '4'], ['length', '16'])(path);
  },
  'external-offset': (path) => {
    writeFileSync(join(dirname(path), 'short.bin'), new Uint8Array(8));
    return externalTensor(['location', 'short.bin'], ['offset', '-4'])(path);
  },
};

export const readManifest = (): unknown => JSON.parse(readFileSync(join(import.meta.dirname, 'models.json'), 'utf8'));
