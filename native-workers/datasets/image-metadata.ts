/** Labels of pictures in `metadata.csv` or `metadata.jsonl` beside them: the form of Hugging Face's image folders. */
import { dirname } from 'node:path/posix';
import type { Label } from '../lib/batch.ts';
import { HoneError } from '../protocol/errors.ts';
import type { ClassList } from './classes.ts';
import type { FileTree, TreeFile } from './file-tree.ts';
import { type ImageLabels, MOST_LABEL_BYTES, unmatchedNotes } from './image-labels.ts';
import { labelColumn } from './labels.ts';
import { parseRecords } from './records.ts';

export const METADATA_FILE = /(^|\/)metadata\.(csv|jsonl)$/;

/** `file_name` relative to the table, with `label` and `group` where there are any. Throws `data-unreadable`, `data-mismatch`. */
export async function readImageMetadata(
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
  const labelOf = (file: TreeFile): Label => (hasLabels ? column.labelOf(indexOf(file)) : null);
  return {
    images: rows.map(({ image }) => image),
    labelled: hasLabels,
    grouped: rows.some(({ record }) => record['group'] !== undefined),
    classes: column.classes,
    classesAssumed: column.assumed,
    notes: [
      ...column.notes,
      ...unmatchedNotes(
        table.path,
        { all: images.length, used: place.size },
        { all: records.length, used: rows.length },
      ),
    ],
    knownLabel: labelOf,
    labelOf: async (file) => labelOf(file),
    groupOf: (file) => {
      const group = rows[indexOf(file)]?.record['group'];
      return group === undefined || group === null ? null : String(group);
    },
  };
}
