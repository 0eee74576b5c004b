/** Files with graphs in graphs: what ONNX Runtime computes of them when they are opened is what LiteRT computes. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { onnxBytes } from '../../../../native-workers/formats/onnx/write.ts';
import type { TflGraph, TflOperator, TflTensor } from '../../../../native-workers/formats/tflite/ir.ts';
import { readTflite } from '../../../../native-workers/formats/tflite/read.ts';
import { slotOf } from '../../../../native-workers/formats/tflite/schema.ts';
import { writeTflite } from '../../../../native-workers/formats/tflite/write.ts';
import type { DType } from '../../../../native-workers/graph/dtype.ts';
import { tensorFromNumbers } from '../../../../native-workers/graph/tensor-values.ts';
import { validate } from '../../../../native-workers/graph/validate.ts';
import { FlatBuffer } from '../../../../native-workers/lib/flatbuffer-reader.ts';
import { LiteRt } from '../../../../native-workers/runtimes/litert.ts';
import { engine, float32 } from '../../../helpers/passes.ts';
import { temporaryFolder } from '../../../helpers/temp.ts';

const litert = await LiteRt.create();

function tensor(
  name: string,
  shape: readonly number[],
  values?: readonly number[],
  dtype: DType = 'float32',
): TflTensor {
  const constant = values === undefined ? null : tensorFromNumbers(dtype, values, shape);
  return { name, shape, dtype, constant, quantization: null, signature: null };
}

function graph(inputs: TflTensor[], outputs: TflTensor[], operators: TflOperator[]): TflGraph {
  const values = (tensors: TflTensor[]) =>
    tensors.map((each) => ({ source: each.name, name: each.name, tensor: each }));
  return { inputs: values(inputs), outputs: values(outputs), operators };
}

function operator(code: TflOperator['code'], inputs: TflTensor[], outputs: TflTensor[], more = {}): TflOperator {
  return { code, inputs, outputs, options: {}, source: code, ...more };
}

function written(source: TflGraph): string {
  const path = join(temporaryFolder(), 'model.tflite');
  writeTflite(source, path);
  return path;
}

/** The output y on LiteRT, and on ONNX Runtime of the file as it is opened. */
async function both(path: string, x: readonly number[]): Promise<[number[], number[]]> {
  const feeds = { x: float32([x.length], x) };
  const session = await litert.open(readFileSync(path));
  const first = await session.run(feeds);
  session.release();
  const model = readTflite(path);
  validate(model);
  const opened = await engine.open(onnxBytes(model));
  const second = await opened.run(feeds);
  await opened.release();
  return [Array.from(first['y']?.data ?? [], Number), Array.from(second['y']?.data ?? [], Number)];
}

/** y = x + 10 where the first element is above 2, else x as it is. */
function choice(): TflGraph {
  const [x, first, isLarge, y] = [
    tensor('x', [2]),
    tensor('f', [1]),
    tensor('c', [1], undefined, 'bool'),
    tensor('y', [2]),
  ];
  const [a, b, same] = [tensor('a', [2]), tensor('b', [2]), tensor('s', [2])];
  return graph(
    [x],
    [y],
    [
      operator('SLICE', [x, tensor('begin', [1], [0], 'int32'), tensor('size', [1], [1], 'int32')], [first]),
      operator('GREATER', [first, tensor('two', [1], [2])], [isLarge]),
      operator('IF', [isLarge, x], [y], {
        graphs: {
          then_subgraph_index: graph([a], [b], [operator('ADD', [a, tensor('ten', [1], [10])], [b])]),
          else_subgraph_index: graph([same], [same], []),
        },
      }),
    ],
  );
}

/** Doubles x while its sum is below 100. */
function doubling(): TflGraph {
  const [x, y, before, after] = [tensor('x', [2]), tensor('y', [2]), tensor('b', [2]), tensor('a', [2])];
  const [seen, sum, goesOn] = [tensor('s', [2]), tensor('t', []), tensor('g', [], undefined, 'bool')];
  const condition = graph(
    [seen],
    [goesOn],
    [
      operator('SUM', [seen, tensor('axis', [1], [0], 'int32')], [sum]),
      operator('LESS', [sum, tensor('hundred', [], [100])], [goesOn]),
    ],
  );
  const body = graph([before], [after], [operator('ADD', [before, before], [after])]);
  return graph(
    [x],
    [y],
    [operator('WHILE', [x], [y], { graphs: { cond_subgraph_index: condition, body_subgraph_index: body } })],
  );
}

/** y = x + v, where v is set before the first run. `setsAgain`: by the model too. */
function remembering(setsAgain = false): string {
  const handle = () => tensor('handle', [], undefined, 'int32');
  const name = { options: { shared_name: 'v' } };
  const [inside, outside, v] = [handle(), handle(), tensor('v', [2])];
  const [x, y] = [tensor('x', [2]), tensor('y', [2])];
  const set = graph(
    [],
    [],
    [
      operator('VAR_HANDLE', [], [inside], name),
      operator('ASSIGN_VARIABLE', [inside, tensor('start', [2], [3, 5])], []),
    ],
  );
  const path = written(
    graph(
      [x],
      [y],
      [
        operator('CALL_ONCE', [], [], { graphs: { init_subgraph_index: set } }),
        operator('VAR_HANDLE', [], [outside], name),
        operator('READ_VARIABLE', [outside], [v]),
        operator('ADD', [x, v], [y]),
        ...(setsAgain ? [operator('ASSIGN_VARIABLE', [outside, y], [])] : []),
      ],
    ),
  );
  // Handles are of a type that no tensor of Hone's has.
  const bytes = readFileSync(path);
  for (const each of new FlatBuffer(bytes, path).root().tables(slotOf('Model', 'subgraphs')))
    for (const table of each.tables(slotOf('SubGraph', 'tensors')))
      if (table.string(slotOf('Tensor', 'name')) === 'handle') bytes[table.field(slotOf('Tensor', 'type')) ?? 0] = 13;
  writeFileSync(path, bytes);
  return path;
}

describe('graphs in graphs', () => {
  it.each([
    [
      [1, 2],
      [1, 2],
    ],
    [
      [3, 4],
      [13, 14],
    ],
  ])('IF of %j', async (x, expected) => {
    expect(await both(written(choice()), x)).toEqual([expected, expected]);
  });

  it.each([
    [
      [1, 2],
      [64, 128],
    ],
    [
      [60, 70],
      [60, 70],
    ],
  ])('WHILE of %j', async (x, expected) => {
    const path = written(doubling());
    expect(await both(path, x)).toEqual([expected, expected]);
  });

  it('reads a variable that is set once', async () => {
    expect(await both(remembering(), [1, 2])).toEqual([
      [4, 7],
      [4, 7],
    ]);
  });

  it('refuses one that the model sets, by name', () => {
    expect(() => readTflite(remembering(true))).toThrow(/ASSIGN_VARIABLE.*keeps a state from one run to the next/);
  });

  it('refuses a body that runs itself, and graphs that do not fit', () => {
    const own = doubling();
    const [loop] = own.operators as [TflOperator];
    const path = written(own);
    const bytes = readFileSync(path);
    const table = new FlatBuffer(bytes, path)
      .root()
      .tables(slotOf('Model', 'subgraphs'))[0]
      ?.tables(slotOf('SubGraph', 'operators'))[0]
      ?.table(slotOf('Operator', 'builtin_options'));
    const at = table?.field(slotOf('WhileOptions', 'body_subgraph_index')) ?? 0;
    expect(loop.code).toBe('WHILE');
    // Graph 1, the condition, has one output of another type; 0, the model, would never end.
    bytes[at] = 0;
    writeFileSync(path, bytes);
    expect(() => readTflite(path)).toThrow(/runs itself/);
    bytes[at] = 77;
    writeFileSync(path, bytes);
    expect(() => readTflite(path)).toThrow(/no graph 77/);
  });
});
