/** How much of a layer's input is clipped, in words. */
import { formatElement, formatSmallShare } from './format.ts';
import type { QuantizedLayer } from './sections/quantization.ts';

/**
 * The share is that of the counted elements, an even part of all; where none of them is clipped although the range of all reaches
 * beyond the codes, some are, and fewer than one of those counted. null where it was not taken.
 */
export function formatClipped({
  clipped,
  histogram,
  input,
  kept,
}: Pick<QuantizedLayer, 'clipped' | 'histogram' | 'input' | 'kept'>): string | null {
  if (clipped === null) return null;
  const counted = (histogram ?? []).reduce((sum, count) => sum + count, 0);
  if (clipped > 0 || counted === 0 || input === null || kept === null) return formatSmallShare(clipped);
  const isBeyond = input.min < kept.min - input.scale / 2 || input.max > kept.max + input.scale / 2;
  return isBeyond ? `under ${formatElement(1e6 / counted)} in a million` : formatSmallShare(0);
}
