/** Labelled samples in batches: what data sets yield and metrics judge. */
import type { ClassNumbers } from '../protocol/request.ts';
import type { Feeds } from './engine.ts';

/** The objects in one picture. */
export interface BoxesLabel {
  readonly kind: 'boxes';
  /** Corners [x1, y1, x2, y2] as shares (0..1) of the picture that the model sees. */
  readonly boxes: readonly { readonly class: number; readonly box: readonly [number, number, number, number] }[];
}

/** The classes of labelled objects, and how a detector may number them. */
export interface ObjectClasses {
  /** Number of each class in the annotations, in the order of the classes; ascending, with gaps where they have some. */
  readonly ids: readonly number[];
  /** What the preprocessing says; null where it leaves it open. */
  readonly numbers: ClassNumbers | null;
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
