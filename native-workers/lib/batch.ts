/** Labelled samples in batches: what data sets yield and metrics judge. */
import type { Feeds } from './engine.ts';

/** The objects in one picture. */
export interface BoxesLabel {
  readonly kind: 'boxes';
  /** Corners [x1, y1, x2, y2] as shares (0..1) of the picture that the model sees. */
  readonly boxes: readonly { readonly class: number; readonly box: readonly [number, number, number, number] }[];
}

/** A class for each pixel, row-major; 255 means "do not count". */
export interface MaskLabel {
  readonly kind: 'mask';
  readonly height: number;
  readonly width: number;
  readonly classes: Uint8Array;
}

/** A class index or a value to predict, several values, the objects or the mask of a picture; null where there is none. */
export type Label = number | readonly number[] | BoxesLabel | MaskLabel | null;

export interface Batch {
  /** Tensors with the batch axis in front, all of the same number of samples. */
  readonly feeds: Feeds;
  /** One a sample, as are the next two. */
  readonly labels: readonly Label[];
  /** Names of the samples: paths in the data set, or row numbers. */
  readonly samples: readonly string[];
  /** Subgroup of each sample, where the data has such a column. */
  readonly groups?: readonly string[];
}
