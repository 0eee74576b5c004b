/** Memory of tensors, given back at once. */
import type { Feeds } from './engine.ts';

/**
 * Frees what the tensors hold; they are empty after it. Garbage collection sees small objects here and not the activations
 * behind them, and would let tens of megabytes of them pile up. Only for tensors that nothing else reads, not for views.
 */
export function discard(tensors: Feeds): void {
  for (const { data } of Object.values(tensors)) {
    if (ArrayBuffer.isView(data) && data.buffer instanceof ArrayBuffer) data.buffer.transfer(0);
  }
}
