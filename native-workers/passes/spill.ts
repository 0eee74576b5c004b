/** Puts tensors that a pass makes on disk, so that it holds one of them in memory and not all. */
import { randomUUID } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { TensorData } from '../graph/tensor.ts';
import { FileData, MemoryData } from '../graph/tensor-data.ts';

/** Below this many bytes a file costs more than the memory. */
const KEEP_IN_MEMORY = 64 << 10;

/** The bytes as tensor data: in memory when few, else in a new file of the folder, which must outlive the model. */
export function spill(folder: string, values: ArrayBufferView): TensorData {
  if (values.byteLength <= KEEP_IN_MEMORY) return new MemoryData(bytesOf(values));
  return spillPieces(folder, values.byteLength, [values]);
}

/** `spill` for values that come piece by piece, `bytes` together; a piece may be reused for the next. */
export function spillPieces(folder: string, bytes: number, pieces: Iterable<ArrayBufferView>): TensorData {
  let at = 0;
  if (bytes <= KEEP_IN_MEMORY) {
    const all = new Uint8Array(bytes);
    for (const piece of pieces) {
      all.set(bytesOf(piece), at);
      at += piece.byteLength;
    }
    return new MemoryData(all);
  }
  const path = join(folder, `tensor-${randomUUID()}.bin`);
  const file = openSync(path, 'wx');
  try {
    for (const piece of pieces) {
      for (let done = 0; done < piece.byteLength; ) done += writeSync(file, bytesOf(piece), done);
    }
  } finally {
    closeSync(file);
  }
  return new FileData(path, 0, bytes);
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
