/** Boxes in the form of COCO's annotation files: `images`, `annotations` with `bbox` [x, y, width, height] in pixels, `categories`. */
import { basename } from 'node:path/posix';
import { z } from 'zod';
import type { BoxesLabel } from '../lib/batch.ts';
import { HoneError } from '../protocol/errors.ts';
import { schemaText } from '../protocol/schema-text.ts';
import type { ClassList } from './classes.ts';
import type { DatasetNote } from './dataset.ts';
import type { FileTree, TreeFile } from './file-tree.ts';
import { type ImageLabels, MOST_LABEL_BYTES, unmatchedNotes } from './image-labels.ts';
import type { Placement } from './image-pixels.ts';

const cocoSchema = z.object({
  images: z.array(
    z.object({ id: z.number(), file_name: z.string(), width: z.number().positive(), height: z.number().positive() }),
  ),
  annotations: z.array(
    z.object({
      image_id: z.number(),
      category_id: z.number(),
      bbox: z.tuple([z.number(), z.number(), z.number(), z.number()]),
      iscrowd: z.union([z.number(), z.boolean()]).optional(),
    }),
  ),
  categories: z.array(z.object({ id: z.number(), name: z.string() })),
});

/**
 * null for JSON that is something else. Classes are in the order of their category ids, as detectors are trained, or in that of
 * `classList` where it names all of them; crowds are left out. Throws `data-unreadable` for annotations that contradict themselves,
 * and `labels-invalid` for a list that names some of the categories.
 */
export async function readCoco(
  tree: FileTree,
  file: TreeFile,
  images: readonly TreeFile[],
  classList: ClassList | null,
): Promise<ImageLabels | null> {
  let json: unknown;
  try {
    json = JSON.parse((await tree.read(file, MOST_LABEL_BYTES)).toString('utf8'));
  } catch {
    return null;
  }
  if (typeof json !== 'object' || json === null || !('annotations' in json) || !('categories' in json)) return null;
  const parsed = cocoSchema.safeParse(json);
  if (!parsed.success) {
    throw new HoneError('data-unreadable', `${file.path} is no COCO annotation file: ${schemaText(parsed.error)}`, {
      where: { file: file.path },
    });
  }
  const { annotations } = parsed.data;
  const categories = parsed.data.categories.toSorted((a, b) => a.id - b.id);
  const order = orderCategories(categories, classList);
  const classOf = new Map(categories.map(({ id, name }, index) => [id, order?.indexOf(name) ?? index]));
  const listed = new Map(parsed.data.images.map((image) => [image.id, image]));
  const boxes = new Map<number, BoxesLabel['boxes'][number][]>();
  let invisible = 0;
  for (const {
    image_id: id,
    category_id: category,
    bbox: [x, y, width, height],
    iscrowd,
  } of annotations) {
    const image = listed.get(id);
    const label = classOf.get(category);
    if (image === undefined || label === undefined) {
      throw new HoneError(
        'data-unreadable',
        `${file.path} has a box of image ${id} and category ${category}, which it does not list.`,
        {
          where: { file: file.path },
        },
      );
    }
    if (iscrowd) continue;
    const box = [x / image.width, y / image.height, (x + width) / image.width, (y + height) / image.height] as const;
    if (!isVisible(box)) invisible++;
    const found = boxes.get(id);
    if (found === undefined) boxes.set(id, [{ class: label, box }]);
    else found.push({ class: label, box });
  }
  const byName = new Map(parsed.data.images.map((image) => [basename(image.file_name), image]));
  const samples = images.filter(({ path }) => byName.has(basename(path)));
  const present = new Set(samples.map(({ path }) => basename(path)));
  const missing = [...byName.keys()].filter((name) => !present.has(name)).length;
  const boxesOf = ({ path }: TreeFile): BoxesLabel['boxes'] => boxes.get(byName.get(basename(path))?.id ?? -1) ?? [];
  return {
    images: samples,
    labelled: true,
    grouped: false,
    classes: order ?? categories.map(({ name }) => name),
    classesAssumed: false,
    // A list of names numbers the classes itself.
    classIds: order?.map((_, index) => index) ?? categories.map(({ id }) => id),
    notes: [
      { code: 'labels-from-file', message: `The boxes are those of ${file.path}.` },
      ...(classList === null ? [] : [classListNote(classList, order !== null)]),
      ...unmatchedNotes(
        file.path,
        { all: images.length, used: samples.length },
        { all: listed.size, used: listed.size - missing },
      ),
      ...(invisible === 0
        ? []
        : [
            {
              code: 'boxes-without-area',
              message: `Boxes in ${file.path} that have no area within their picture, which are left out: ${invisible} of ${annotations.length}.`,
            },
          ]),
    ],
    knownLabel: (picture) => ({ kind: 'boxes', boxes: boxesOf(picture) }),
    labelOf: async (picture, placement) => placeBoxes(boxesOf(picture), placement),
    groupOf: () => null,
  };
}

/** The names of the list where all categories are among them; null where none is. */
function orderCategories(
  categories: readonly { readonly name: string }[],
  list: ClassList | null,
): readonly string[] | null {
  const unknown = categories.filter(({ name }) => list?.names.includes(name) !== true);
  if (list === null || unknown.length === categories.length) return null;
  if (unknown.length === 0) return list.names;
  throw new HoneError('labels-invalid', `The category '${unknown[0]?.name}' of the boxes is not in ${list.path}.`, {
    where: { file: list.path },
  });
}

function classListNote({ path }: ClassList, isUsed: boolean): DatasetNote {
  return isUsed
    ? { code: 'classes-from-file', message: `The order of the classes is that of ${path}.` }
    : { code: 'classes-file-unused', message: `${path} has none of the categories of the boxes and is not used.` };
}

/** Whether any of a box, in shares of the picture, lies within it. */
const isVisible = ([x1, y1, x2, y2]: BoxesLabel['boxes'][number]['box']): boolean =>
  Math.min(x2, 1) > Math.max(x1, 0) && Math.min(y2, 1) > Math.max(y1, 0);

/** Boxes given as shares of the stored picture, as shares of what the model sees; what is cropped away is cut off. */
function placeBoxes(boxes: BoxesLabel['boxes'], placement: Placement): BoxesLabel {
  const clamp = (share: number): number => Math.min(1, Math.max(0, share));
  const x = (share: number): number => clamp(share * placement.scaleX + placement.offsetX);
  const y = (share: number): number => clamp(share * placement.scaleY + placement.offsetY);
  const placed = boxes.map(({ class: label, box: [x1, y1, x2, y2] }) => ({
    class: label,
    box: [x(x1), y(y1), x(x2), y(y2)] as const,
  }));
  return { kind: 'boxes', boxes: placed.filter(({ box }) => box[2] > box[0] && box[3] > box[1]) };
}
