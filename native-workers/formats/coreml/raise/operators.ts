/** Every MIL operation that is read. A new one: a line in the table of its family. */
import { DETECTION } from './detection.ts';
import { ELEMENTWISE } from './elementwise.ts';
import { INDEXING } from './indexing.ts';
import { NORMALIZATION } from './normalization.ts';
import { PRODUCTS } from './products.ts';
import { QUANTIZATION } from './quantization.ts';
import type { Raise } from './raising.ts';
import { RECURRENT } from './recurrent.ts';
import { REDUCTIONS } from './reductions.ts';
import { SHAPES } from './shapes.ts';
import { WEIGHTS } from './weights.ts';
import { WINDOWS } from './windows.ts';

export const OPERATORS: Readonly<Record<string, Raise>> = {
  ...ELEMENTWISE,
  ...NORMALIZATION,
  ...REDUCTIONS,
  ...PRODUCTS,
  ...SHAPES,
  ...INDEXING,
  ...DETECTION,
  ...WINDOWS,
  ...RECURRENT,
  ...QUANTIZATION,
  ...WEIGHTS,
};
