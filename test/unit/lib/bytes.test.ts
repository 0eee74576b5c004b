import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type ByteSource,
  concatBytes,
  FileSource,
  MemorySource,
  sameBytes,
} from '../../../native-workers/lib/bytes.ts';

describe('byte sources', () => {
  let folder = '';
  const content = Uint8Array.from({ length: 100 }, (_, index) => index);
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'bytes-'));
    writeFileSync(join(folder, 'file'), content);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const sources: [string, () => ByteSource][] = [
    ['a file', () => new FileSource(join(folder, 'file'))],
    ['memory', () => new MemorySource(content)],
  ];
  it.each(sources)('%s gives ranges now and later', (_name, open) => {
    const source = open();
    const target = new Uint8Array(5);
    source.read(target, 10);
    const later = source.later(20, 3);
    expect(() => source.read(new Uint8Array(10), 95)).toThrow(expect.objectContaining({ code: 'file-truncated' }));
    source.close();
    expect([...target]).toEqual([10, 11, 12, 13, 14]);
    expect([...later.read()]).toEqual([20, 21, 22]);
    expect(source.length).toBe(100);
  });

  it('refuse a folder', () => {
    expect(() => new FileSource(folder)).toThrow(expect.objectContaining({ code: 'file-not-a-model' }));
  });

  it('compare and join', () => {
    expect(sameBytes(concatBytes([content.subarray(0, 40), content.subarray(40)]), content)).toBe(true);
    expect(sameBytes(content, content.subarray(1))).toBe(false);
  });
});
