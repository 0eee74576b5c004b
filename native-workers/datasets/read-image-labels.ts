/** Finds the labels of pictures in files beside them: `metadata.csv` or `metadata.jsonl`, COCO annotations, or a folder of masks. */
import type { ClassList } from './classes.ts';
import { readCoco } from './coco.ts';
import type { FileTree, TreeFile } from './file-tree.ts';
import type { ImageLabels } from './image-labels.ts';
import { METADATA_FILE, readImageMetadata } from './image-metadata.ts';
import { readMasks } from './masks.ts';

/** Where every picture has a file of its own beside it, none of them is an annotation file of all. */
const MOST_JSON_FILES = 8;

/** null when no such file lies beside the pictures. Throws `data-unreadable` for one that is damaged. */
export async function readImageLabels(
  tree: FileTree,
  images: readonly TreeFile[],
  classList: ClassList | null,
  modelClasses: number | null,
): Promise<ImageLabels | null> {
  const table = tree.files.find(({ path }) => METADATA_FILE.test(path));
  if (table !== undefined) return readImageMetadata(tree, table, images, classList, modelClasses);
  const described = tree.files.filter(({ path }) => path.endsWith('.json'));
  for (const file of described.slice(0, MOST_JSON_FILES)) {
    const labels = await readCoco(tree, file, images, classList);
    if (labels !== null) return labels;
  }
  return readMasks(tree, images, classList);
}
