import { describe, expect, it } from 'vitest';
import { FileData, MemoryData } from '../../../native-workers/graph/tensor-data.ts';
import { spill } from '../../../native-workers/passes/spill.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

describe('spill', () => {
  it('keeps few bytes in memory and puts many into a file', () => {
    const folder = temporaryFolder();
    const few = spill(folder, Float32Array.of(1, 2));
    const values = Int32Array.from({ length: 20_000 }, (_, index) => index);
    const many = spill(folder, values.subarray(100));
    expect(few).toBeInstanceOf(MemoryData);
    expect(many).toBeInstanceOf(FileData);
    expect(new Int32Array(many.read().slice().buffer)).toEqual(values.slice(100));
  });
});
