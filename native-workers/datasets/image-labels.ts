/** What every source of labels beside pictures gives: a table, COCO annotations, a folder of masks. */
import type { Label } from '../lib/batch.ts';
import type { DatasetNote } from './dataset.ts';
import type { TreeFile } from './file-tree.ts';
import type { Placement } from './image-pixels.ts';

/** Bytes of a file of labels. */
export const MOST_LABEL_BYTES = 512 * 2 ** 20;

export interface ImageLabels {
  /** The pictures that are samples, in the order of their paths. */
  readonly images: readonly TreeFile[];
  readonly labelled: boolean;
  readonly grouped: boolean;
  readonly classes: readonly string[] | null;
  readonly classesAssumed: boolean;
  /** Ids of the classes in the annotations of boxes, in the order of the classes. */
  readonly classIds?: readonly number[];
  readonly notes: readonly DatasetNote[];
  /** The label where it is known without the picture: boxes as shares of the whole picture; null for masks. */
  knownLabel(file: TreeFile): Label;
  /** The label as the model sees the picture: boxes and masks are placed as the picture is. Rejects when it is damaged. */
  labelOf(file: TreeFile, placement: Placement, size: readonly [number, number]): Promise<Label>;
  groupOf(file: TreeFile): string | null;
}

/** What `source` says against the pictures that there are: which of either are left out. */
export function unmatchedNotes(
  source: string,
  pictures: { readonly all: number; readonly used: number },
  entries: { readonly all: number; readonly used: number },
): DatasetNote[] {
  const [left, missing] = [pictures.all - pictures.used, entries.all - entries.used];
  return [
    ...(left === 0
      ? []
      : [
          {
            code: 'pictures-without-entry',
            message: `Pictures without an entry in ${source}, which are left out: ${left} of ${pictures.all}.`,
          },
        ]),
    ...(missing === 0
      ? []
      : [
          {
            code: 'pictures-missing',
            message: `Entries of ${source} whose pictures are not there: ${missing} of ${entries.all}.`,
          },
        ]),
  ];
}
