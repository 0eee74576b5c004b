/** Files that the writer makes, read back field by field and run on LiteRT. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { TflGraph, TflTensor } from '../../../../native-workers/formats/tflite/ir.ts';
import { slotOf } from '../../../../native-workers/formats/tflite/schema.ts';
import { writeTflite } from '../../../../native-workers/formats/tflite/write.ts';
import { tensorFromFloat32 } from '../../../../native-workers/graph/tensor-values.ts';
import { FlatBuffer } from '../../../../native-workers/lib/flatbuffer-reader.ts';
import { LiteRt } from '../../../../native-workers/runtimes/litert.ts';
import { unread } from '../../../helpers/models.ts';
import { temporaryFolder } from '../../../helpers/temp.ts';

function tensor(name: string, shape: readonly number[], values?: readonly number[]): TflTensor {
  const constant = values === undefined ? null : tensorFromFloat32(Float32Array.from(values), shape);
  return { name, shape, dtype: 'float32', constant, quantization: null, signature: null };
}

/** x [1, 2] times a matrix plus a bias, twice with equal constants in different tensors. */
function graph(): TflGraph {
  const [x, h, y] = [tensor('x', [1, 2]), tensor('h', [1, 2]), tensor('y', [1, 2])];
  const weights = (name: string): TflTensor => tensor(name, [2, 2], [1, 2, 3, 4]);
  const bias = (name: string): TflTensor => tensor(name, [2], [10, 20]);
  const options = { fused_activation_function: 0, weights_format: 0, keep_num_dims: false };
  return {
    inputs: [{ source: 'x', name: 'x', tensor: x }],
    outputs: [{ source: 'y', name: 'y', tensor: y }],
    operators: [
      { code: 'FULLY_CONNECTED', inputs: [x, weights('w1'), bias('b1')], outputs: [h], options, source: 'first' },
      { code: 'FULLY_CONNECTED', inputs: [h, weights('w2'), bias('b2')], outputs: [y], options, source: 'second' },
    ],
  };
}

async function run(bytes: Uint8Array): Promise<number[]> {
  const runtime = await LiteRt.create();
  const session = await runtime.open(bytes);
  const { y } = await session.run({ x: { dtype: 'float32', shape: [1, 2], data: Float32Array.of(1, -1) } });
  session.release();
  return Array.from(y?.data ?? [], Number);
}
/** [1, -1] gives [9, 19], which gives [1 * 9 + 2 * 19 + 10, 3 * 9 + 4 * 19 + 20]. */
const EXPECTED = [57, 123];

describe('a TFLite file', () => {
  it('holds equal constants once, aligned to 16 bytes, and runs', async () => {
    const path = join(temporaryFolder(), 'model.tflite');
    const { minRuntime, bytes } = writeTflite(graph(), path);
    expect(minRuntime).toBe('1.5.0');
    const file = readFileSync(path);
    expect(file).toHaveLength(bytes);
    const buffer = new FlatBuffer(file, path);
    expect(buffer.identifier).toBe('TFL3');
    const buffers = buffer.root().tables(slotOf('Model', 'buffers'));
    const starts = buffers.map((each) => each.vector(slotOf('Buffer', 'data'), 1)).filter(({ length }) => length > 0);
    // Two constants and the metadata.
    expect(starts).toHaveLength(3);
    expect(starts.every(({ start }) => start % 16 === 0)).toBe(true);
    expect(buffers[0]?.has(slotOf('Buffer', 'data'))).toBe(false);
    expect(await run(file)).toEqual(EXPECTED);
  }, 60_000);

  it('runs just the same with its weights behind the FlatBuffer', async () => {
    const path = join(temporaryFolder(), 'model.tflite');
    writeTflite(graph(), path, { insideBytes: 0 });
    const file = readFileSync(path);
    const model = new FlatBuffer(file, path).root();
    const offsets = model
      .tables(slotOf('Model', 'buffers'))
      .map((each) => Number(each.int64(slotOf('Buffer', 'offset'))))
      .filter((offset) => offset > 1);
    expect(offsets).toHaveLength(2);
    expect(offsets.every((offset) => offset % 16 === 0 && offset < file.length)).toBe(true);
    expect(await run(file)).toEqual(EXPECTED);
  }, 60_000);

  it('writes both operator codes, the version and a signature', () => {
    const path = join(temporaryFolder(), 'model.tflite');
    writeTflite(graph(), path);
    const model = new FlatBuffer(readFileSync(path), path).root();
    const codes = model.tables(slotOf('Model', 'operator_codes'));
    expect(codes).toHaveLength(1);
    expect(codes[0]?.int8(slotOf('OperatorCode', 'deprecated_builtin_code'))).toBe(9);
    expect(codes[0]?.int32(slotOf('OperatorCode', 'builtin_code'))).toBe(9);
    expect(codes[0]?.int32(slotOf('OperatorCode', 'version'), 1)).toBe(1);
    const [signature] = model.tables(slotOf('Model', 'signature_defs'));
    expect(signature?.string(slotOf('SignatureDef', 'signature_key'))).toBe('serving_default');
    expect(model.int32(slotOf('Model', 'version'))).toBe(3);
  });

  it('is refused where its weights take over 2 GB, before anything of them is read or written', () => {
    const path = join(temporaryFolder(), 'model.tflite');
    const [x, y] = [tensor('x', [1, 2]), tensor('y', [1, 2])];
    const made = (byteLength: number): TflGraph => ({
      inputs: [{ source: 'x', name: 'x', tensor: x }],
      outputs: [{ source: 'y', name: 'y', tensor: y }],
      operators: [
        {
          code: 'ADD',
          inputs: [x, { ...tensor('w', [byteLength]), constant: unread(byteLength) }],
          outputs: [y],
          options: {},
          source: 'add',
        },
      ],
    });
    expect(() => writeTflite(made(2 ** 31), path)).toThrowError(
      expect.objectContaining({ code: 'artifact-too-large', message: expect.stringContaining('2.15 GB') }),
    );
    expect(existsSync(path)).toBe(false);
    // One byte less is written: its weights are asked for.
    expect(() => writeTflite(made(2 ** 31 - 1), path)).toThrow(/asked for/);
  });

  it('refuses to be written with a field that the schema does not have', () => {
    const made = graph();
    const [operator] = made.operators;
    if (operator !== undefined) operator.options = { not_a_field: 1 };
    expect(() => writeTflite(made, join(temporaryFolder(), 'model.tflite'))).toThrow(/no field not_a_field/);
  });
});
