/** Signatures of models that do not exist, and batches read to the end. */
import type { Dataset } from '../../native-workers/datasets/dataset.ts';
import type { ModelSignature } from '../../native-workers/datasets/signature.ts';
import type { DType } from '../../native-workers/graph/dtype.ts';
import { type Dim, tensorType } from '../../native-workers/graph/types.ts';
import type { Batch } from '../../native-workers/lib/batch.ts';
import type { HostTensor } from '../../native-workers/lib/engine.ts';

type Shapes = Readonly<Record<string, readonly [DType, readonly Dim[]]>>;

export function signature(
  inputs: Shapes,
  outputs: Shapes = {},
  idLimits: Readonly<Record<string, number>> = {},
): ModelSignature {
  const values = (shapes: Shapes): ModelSignature['inputs'] =>
    Object.entries(shapes).map(([name, [dtype, shape]]) => ({ name, type: tensorType(dtype, shape) }));
  return { inputs: values(inputs), outputs: values(outputs), idLimits };
}

export const pictures = (channels: number, height: number, width: number, classes = 2): ModelSignature =>
  signature({ input: ['float32', ['batch', channels, height, width]] }, { logits: ['float32', ['batch', classes]] });

export async function readBatches(dataset: Dataset, size: number, limit?: number): Promise<Batch[]> {
  const batches: Batch[] = [];
  for await (const batch of dataset.batches(size, limit === undefined ? {} : { limit })) batches.push(batch);
  await dataset.close();
  return batches;
}

export const numbers = (tensor: HostTensor | undefined): number[] =>
  Array.from((tensor?.data ?? []) as ArrayLike<number>, Number);
