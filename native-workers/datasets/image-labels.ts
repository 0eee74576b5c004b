/**
 * Labels of pictures that stand in files beside them: `metadata.csv` or `metadata.jsonl` (the form of Hugging Face's image
 * folders), COCO annotations, or a folder of masks.
 */
import type { BoxesLabel, Label } from '../lib/batch.ts';
import type { ClassList } from './classes.ts';
import type { DatasetNote } from './dataset.ts';
import type { FileTree, TreeFile } from './file-tree.ts';
import type { Placement } from './image-pixels.ts';

export interface ImageLabels {
  /** The pictures that are samples, in the order of their paths. */
  readonly images: readonly TreeFile[];
  readonly labelled: boolean;
  readonly grouped: boolean;
  readonly classes: readonly string[] | null;
  readonly classesAssumed: boolean;
  readonly notes: readonly DatasetNote[];
  /** Class index, where the label is one. */
  classOf(file: TreeFile): number | null;
  /** The label as the model sees the picture: boxes and masks are placed as the picture is. Rejects when it is damaged. */
  labelOf(file: TreeFile, placement: Placement, size: readonly [number, number]): Promise<Label>;
  groupOf(file: TreeFile): string | null;
}

/** null when no such file lies beside the pictures. */
export async function readImageLabels(
  _tree: FileTree,
  _images: readonly TreeFile[],
  _classList: ClassList | null,
  _modelClasses: number | null,
): Promise<ImageLabels | null> {
  return null;
}

/** Boxes given as shares of the stored picture, as shares of what the model sees; what is cropped away is cut off. */
export function placeBoxes(boxes: BoxesLabel['boxes'], placement: Placement): BoxesLabel {
  const clamp = (share: number): number => Math.min(1, Math.max(0, share));
  const x = (share: number): number => clamp(share * placement.scaleX + placement.offsetX);
  const y = (share: number): number => clamp(share * placement.scaleY + placement.offsetY);
  const placed = boxes.map(({ class: label, box: [x1, y1, x2, y2] }) => ({
    class: label,
    box: [x(x1), y(y1), x(x2), y(y2)] as const,
  }));
  return { kind: 'boxes', boxes: placed.filter(({ box }) => box[2] > box[0] && box[3] > box[1]) };
}
