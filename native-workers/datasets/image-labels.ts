/**
 * Labels of pictures that stand in files beside them: `metadata.csv` or `metadata.jsonl` (the form of Hugging Face's image
 * folders), COCO annotations, or a folder of masks.
 */
import { dirname } from 'node:path/posix';
import type { BoxesLabel, Label } from '../lib/batch.ts';
import { HoneError } from '../protocol/errors.ts';
import type { ClassList } from './classes.ts';
import { readCoco } from './coco.ts';
import type { DatasetNote } from './dataset.ts';
import type { FileTree, TreeFile } from './file-tree.ts';
import type { Placement } from './image-pixels.ts';
import { labelColumn } from './labels.ts';
import { readMasks } from './masks.ts';
import { parseRecords } from './records.ts';

/** Bytes of a file of labels. */
export const MOST_LABEL_BYTES = 512 * 2 ** 20;

/** Where every picture has a file of its own beside it, none of them is an annotation file of all. */
const MOST_JSON_FILES = 8;

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

/** null when no such file lies beside the pictures. Throws `data-unreadable` for one that is damaged. */
export async function readImageLabels(
  tree: FileTree,
  images: readonly TreeFile[],
  classList: ClassList | null,
  modelClasses: number | null,
): Promise<ImageLabels | null> {
  const table = tree.files.find(({ path }) => /(^|\/)metadata\.(csv|jsonl)$/.test(path));
  if (table !== undefined) return readMetadata(tree, table, images, classList, modelClasses);
  const described = tree.files.filter(({ path }) => path.endsWith('.json'));
  for (const file of described.slice(0, MOST_JSON_FILES)) {
    const labels = await readCoco(tree, file, images);
    if (labels !== null) return labels;
  }
  return readMasks(tree, images, classList);
}

/** `file_name` relative to the table, with `label` and `group` where there are any. */
async function readMetadata(
  tree: FileTree,
  table: TreeFile,
  images: readonly TreeFile[],
  classList: ClassList | null,
  modelClasses: number | null,
): Promise<ImageLabels> {
  const kind = table.path.endsWith('.csv') ? 'csv' : 'jsonl';
  const records = await parseRecords(await tree.read(table, MOST_LABEL_BYTES), kind).catch((thrown: unknown) => {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    throw new HoneError('data-unreadable', `${table.path} cannot be read: ${reason}.`, { where: { file: table.path } });
  });
  const folder = dirname(table.path);
  const byPath = new Map(images.map((image) => [image.path, image]));
  const rows = records.flatMap((record) => {
    const name = String(record['file_name'] ?? '');
    const image = byPath.get(folder === '.' ? name : `${folder}/${name}`);
    return image === undefined ? [] : [{ image, record }];
  });
  if (rows.length === 0) {
    throw new HoneError('data-mismatch', `${table.path} names none of the pictures in its column file_name.`, {
      where: { file: table.path },
    });
  }
  rows.sort((a, b) => (a.image.path < b.image.path ? -1 : 1));
  const place = new Map(rows.map(({ image }, index) => [image.path, index]));
  const hasLabels = rows.some(({ record }) => record['label'] !== undefined);
  const column = labelColumn(
    rows.map(({ record: { label } }) =>
      typeof label === 'number' || (typeof label === 'string' && label !== '') ? label : null,
    ),
    classList,
    modelClasses,
  );
  const indexOf = (file: TreeFile): number => place.get(file.path) ?? -1;
  return {
    images: rows.map(({ image }) => image),
    labelled: hasLabels,
    grouped: rows.some(({ record }) => record['group'] !== undefined),
    classes: column.classes,
    classesAssumed: column.assumed,
    notes: column.notes,
    classOf: (file) => column.classOf(indexOf(file)),
    labelOf: async (file) => (hasLabels ? column.labelOf(indexOf(file)) : null),
    groupOf: (file) => {
      const group = rows[indexOf(file)]?.record['group'];
      return group === undefined || group === null ? null : String(group);
    },
  };
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
