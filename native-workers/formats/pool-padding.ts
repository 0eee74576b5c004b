/** What readers of formats with padding as an operator of its own keep ONNX Runtime from. */
import type { Value } from '../graph/value.ts';

/**
 * Zeros that an operator before put around a picture take part in the pool that reads `x`. ONNX Runtime (1.30, `pad_fusion.cc`)
 * makes them the pool's own padding, which does not, and gives other results where a picture is negative. It knows zeros by
 * their bytes: those of -0, which `negativeZero` makes as a float32 scalar, are others, and so the padding stays.
 */
export function keepPadding(x: Value, negativeZero: () => Value): void {
  if (x.producer?.is('Pad') === true && x.producer.inputs.length === 2) x.producer.setInput(2, negativeZero());
}
