/** What lowerings of all families say and ask of shapes. */
import type { MilDim } from '../program.ts';

/** Why a node cannot be expressed, in words for the coverage report. */
export class Refusal extends Error {}

/** All sizes, or a refusal. */
export function staticDims(shape: readonly MilDim[], what: string): number[] {
  return shape.map((dim) => {
    if (dim === null) throw new Refusal(`${what} must have a fixed shape for Core ML`);
    return dim;
  });
}
