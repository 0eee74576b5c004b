/** Every layer that has a raising, by the name of its class. A new family: its file and its line. */
import { ACTIVATION_LAYERS } from './activation.ts';
import { APPLICATION_LAYERS } from './application.ts';
import { ATTENTION } from './attention.ts';
import { CONVOLUTIONS } from './convolution.ts';
import { PRODUCTS } from './dense.ts';
import { FUNCTIONS } from './function.ts';
import type { Raise } from './layer.ts';
import { MERGES } from './merge.ts';
import { NORMALIZATIONS } from './normalization.ts';
import { POOLINGS } from './pooling.ts';
import { RECURRENT } from './recurrent.ts';
import { SHAPES } from './shape.ts';

const LAYERS: ReadonlyMap<string, Raise> = new Map(
  Object.entries({
    ...ACTIVATION_LAYERS,
    ...APPLICATION_LAYERS,
    ...ATTENTION,
    ...CONVOLUTIONS,
    ...FUNCTIONS,
    ...MERGES,
    ...NORMALIZATIONS,
    ...POOLINGS,
    ...PRODUCTS,
    ...RECURRENT,
    ...SHAPES,
  }),
);

export function findRaise(type: string): Raise | null {
  return LAYERS.get(type) ?? null;
}
