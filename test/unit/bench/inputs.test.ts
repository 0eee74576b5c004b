import { describe, expect, it } from 'vitest';
import { batchOf, seededFeeds } from '../../../native-workers/bench/inputs.ts';
import type { DType } from '../../../native-workers/graph/dtype.ts';
import { type Dim, tensorType } from '../../../native-workers/graph/types.ts';
import type { ValueInfo } from '../../../native-workers/lib/engine.ts';

const input = (name: string, dtype: DType, ...shape: Dim[]): ValueInfo => ({ name, type: tensorType(dtype, shape) });
const shapes = (inputs: ValueInfo[], batch: number | null = null): Record<string, readonly number[]> =>
  Object.fromEntries(Object.entries(seededFeeds(inputs, batch, 1)).map(([name, { shape }]) => [name, shape]));

describe('seededFeeds', () => {
  it('puts sizes in place of symbols', () => {
    expect(shapes([input('pixels', 'float32', 'batch', 3, 'height', null)], 8)).toEqual({ pixels: [8, 3, 224, 224] });
    expect(shapes([input('ids', 'int64', 'batch', 'sequence')])).toEqual({ ids: [1, 64] });
    expect(shapes([input('x', 'float32', null, 10)], 4)).toEqual({ x: [4, 10] });
    expect(shapes([input('x', 'float32')])).toEqual({ x: [] });
  });

  it('gives one symbol one size, and a sum the size of its parts', () => {
    const inputs = [
      input('ids', 'int64', 'batch_size', 'sequence_length'),
      input('past', 'float32', 'batch_size', 2, 'past_sequence_length', 8),
      input('mask', 'int64', 'batch_size', 'past_sequence_length + sequence_length'),
    ];
    expect(shapes(inputs, 2)).toEqual({ ids: [2, 64], past: [2, 2, 0, 8], mask: [2, 64] });
  });

  it('keeps a fixed batch, and refuses another', () => {
    expect(shapes([input('x', 'float32', 4, 3)])).toEqual({ x: [4, 3] });
    expect(() => shapes([input('x', 'float32', 4, 3)], 8)).toThrow(/fixed at 4/);
    expect(batchOf(seededFeeds([input('s', 'float32'), input('x', 'float32', 4, 3)], null, 1))).toBe(4);
  });

  it('fills masks, segments, positions and ids with what such inputs take', () => {
    const names = ['attention_mask', 'token_type_ids', 'position_ids', 'input_ids'];
    const feeds = seededFeeds(
      names.map((name) => input(name, 'int64', 1, 4)),
      null,
      1,
    );
    expect(feeds['attention_mask']?.data).toEqual(BigInt64Array.of(1n, 1n, 1n, 1n));
    expect(feeds['token_type_ids']?.data).toEqual(BigInt64Array.of(0n, 0n, 0n, 0n));
    expect(feeds['position_ids']?.data).toEqual(BigInt64Array.of(0n, 1n, 2n, 3n));
    for (const id of feeds['input_ids']?.data ?? []) expect(Number(id)).toBeLessThan(16);
  });

  it.each([
    'float32',
    'float64',
    'float16',
    'uint8',
    'int8',
    'uint16',
    'int16',
    'int32',
    'uint32',
    'int64',
    'uint64',
    'bool',
    'string',
  ] as const)('makes the same %s values for the same seed', (dtype) => {
    const inputs = [input('x', dtype, 5)];
    const feeds = seededFeeds(inputs, null, 3);
    expect(feeds['x']?.data).toHaveLength(5);
    expect(seededFeeds(inputs, null, 3)).toEqual(feeds);
  });

  it('refuses what cannot be made', () => {
    expect(() => shapes([{ name: 's', type: { kind: 'sequence', element: null } }])).toThrow(/no tensor/);
    expect(() => shapes([input('x', 'bfloat16', 2)])).toThrow(/bfloat16/);
    expect(() => shapes([input('x', 'float32', 2 ** 20, 2 ** 20)])).toThrow(/shape/);
  });
});
