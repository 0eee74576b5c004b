/** Puts tensors that a pass makes on disk, so that it holds one of them in memory and not all. */
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TensorData } from '../graph/tensor.ts';
import { FileData, MemoryData } from '../graph/tensor-data.ts';

/** Below this many bytes a file costs more than the memory. */
const KEEP_IN_MEMORY = 64 << 10;

/** The bytes as tensor data: in memory when few, else in a new file of the folder, which must outlive the model. */
export function spill(folder: string, values: ArrayBufferView): TensorData {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  if (bytes.length <= KEEP_IN_MEMORY) return new MemoryData(bytes);
  const path = join(folder, `tensor-${randomUUID()}.bin`);
  writeFileSync(path, bytes);
  return new FileData(path, 0, bytes.length);
}
