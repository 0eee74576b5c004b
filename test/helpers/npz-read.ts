/** The arrays of a NumPy archive, whole, for goldens. */
import { buffer } from 'node:stream/consumers';
import { parseNpyHeader } from '../../native-workers/datasets/npy.ts';
import { tensorFromBytes, toHostTensor } from '../../native-workers/graph/tensor-values.ts';
import type { HostTensor } from '../../native-workers/lib/engine.ts';
import { ZipArchive } from '../../native-workers/lib/zip.ts';

export async function readNpz(path: string): Promise<Record<string, HostTensor>> {
  const zip = await ZipArchive.open(path);
  const arrays: Record<string, HostTensor> = {};
  try {
    for (const entry of zip.entries) {
      const bytes = await buffer(await zip.stream(entry));
      const { dtype, shape, dataOffset } = parseNpyHeader(bytes, bytes.length, entry.path);
      const content = new Uint8Array(bytes.subarray(dataOffset));
      arrays[entry.path.replace(/\.npy$/, '')] = toHostTensor(tensorFromBytes(dtype, shape, content));
    }
  } finally {
    zip.close();
  }
  return arrays;
}
