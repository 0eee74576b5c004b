/** Pictures in a folder or zip: in class folders, with a file of labels beside them, with masks, or without labels. */
import { basename } from 'node:path';
import { HoneError } from '../protocol/errors.ts';
import type { Preprocess } from '../protocol/request.ts';
import { type ClassList, orderClasses } from './classes.ts';
import { mapAhead } from './concurrent.ts';
import type { DatasetNote, SampleRow, SampleSource } from './dataset.ts';
import type { FileTree, TreeFile } from './file-tree.ts';
import { folderClasses } from './folder-classes.ts';
import type { ImageLabels } from './image-labels.ts';
import { decodeImage, imageSize, pixelsToTensor } from './image-pixels.ts';
import { type ImageSpec, preprocessOf, resolveImageSpec } from './image-spec.ts';
import { readImageLabels } from './read-image-labels.ts';
import { classCountOf, type ModelSignature } from './signature.ts';

export const IMAGE_FILES = /\.(jpe?g|png|webp|gif|tiff?|avif|bmp|ppm|pgm)$/i;

/** Bytes of one encoded picture. */
export const MOST_IMAGE_BYTES = 256 * 2 ** 20;
/** Pictures that are decoded while the model runs: enough for the usual batch, little enough to stay small. */
const AHEAD = 32;
/** Pictures looked at to find the size where neither the model nor the description gives one. */
const SIZE_PROBES = 16;

export async function openImages(
  path: string,
  tree: FileTree,
  signature: ModelSignature,
  preprocess: Preprocess,
  classList: ClassList | null,
): Promise<SampleSource> {
  const resolved = resolveImageSpec(signature, preprocess);
  const notes = [...resolved.notes];
  const labels = await labelImages(tree, signature, classList, notes);
  const size = resolved.spec.size ?? (await commonSize(tree, labels.images, resolved.spec, notes));
  const spec: ImageSpec = { ...resolved.spec, size };

  const load = async (file: TreeFile): Promise<SampleRow | { readonly skipped: string }> => {
    try {
      const bytes = await tree.read(file, MOST_IMAGE_BYTES);
      const { pixels, placement } = await decodeImage(bytes, spec, size);
      const label = await labels.labelOf(file, placement, size);
      return {
        sample: file.path,
        feeds: { [spec.input.name]: pixelsToTensor(pixels, spec) },
        label,
        group: labels.groupOf(file),
      };
    } catch (thrown) {
      return { skipped: reasonOf(thrown) };
    }
  };

  return {
    name: basename(path),
    kind: 'images',
    count: labels.images.length,
    labelled: labels.labelled,
    grouped: labels.grouped,
    classes: labels.classes,
    classesAssumed: labels.classesAssumed,
    objectClasses:
      labels.classIds === undefined ? null : { ids: labels.classIds, numbers: preprocess.classNumbers ?? null },
    preprocess: {
      ...preprocessOf(spec),
      ...(preprocess.classNumbers === undefined ? {} : { classNumbers: preprocess.classNumbers }),
    },
    notes,
    batchless: spec.batchless,
    known: (index) => {
      const file = labels.images[index] as TreeFile;
      return { sample: file.path, label: labels.knownLabel(file) };
    },
    async *rows(indexes, skip) {
      const files = indexes?.map((index) => labels.images[index] as TreeFile) ?? labels.images;
      const loaded = mapAhead(files, AHEAD, async (file) => ({ file, result: await load(file) }));
      for await (const { file, result } of loaded) {
        if ('skipped' in result) skip({ sample: file.path, reason: result.skipped });
        else yield result;
      }
    },
    sha256: () => tree.sha256(),
    close: () => tree.close(),
  };
}

async function labelImages(
  tree: FileTree,
  signature: ModelSignature,
  classList: ClassList | null,
  notes: DatasetNote[],
): Promise<ImageLabels> {
  const images = tree.files.filter((file) => IMAGE_FILES.test(file.path));
  const modelClasses = classCountOf(signature);
  const described = await readImageLabels(tree, images, classList, modelClasses);
  if (described !== null) {
    notes.push(...described.notes);
    return described;
  }
  const { classOf } = folderClasses(images.map(({ path }) => path));
  if (classOf === null) return unlabelled(images);
  const order = orderClasses(
    images.map(({ path }) => classOf(path)),
    classList,
    modelClasses,
  );
  notes.push(...order.notes);
  const indexOf = ({ path }: TreeFile): number => order.indexOf.get(classOf(path)) as number;
  return {
    images,
    labelled: true,
    grouped: false,
    classes: order.classes,
    classesAssumed: order.assumed,
    notes: [],
    knownLabel: indexOf,
    labelOf: async (file) => indexOf(file),
    groupOf: () => null,
  };
}

function unlabelled(images: readonly TreeFile[]): ImageLabels {
  return {
    images,
    labelled: false,
    grouped: false,
    classes: null,
    classesAssumed: false,
    notes: [],
    knownLabel: () => null,
    labelOf: async () => null,
    groupOf: () => null,
  };
}

/** The size of the pictures, for a model that takes any. Throws `preprocess-invalid` when they are not all of one size. */
async function commonSize(
  tree: FileTree,
  images: readonly TreeFile[],
  spec: ImageSpec,
  notes: DatasetNote[],
): Promise<readonly [number, number]> {
  let common: readonly [number, number] | null = null;
  const step = Math.max(1, Math.floor(images.length / SIZE_PROBES));
  for (let index = 0; index < images.length; index += step) {
    const size = await tree
      .read(images[index] as TreeFile, MOST_IMAGE_BYTES)
      .then(imageSize)
      .catch(() => null);
    if (size === null) continue;
    common ??= size;
    if (size[0] !== common[0] || size[1] !== common[1]) {
      throw new HoneError(
        'preprocess-invalid',
        `The input '${spec.input.name}' takes pictures of any size and the data has several; give \`size\` in the preprocessing.`,
        { where: { tensor: spec.input.name } },
      );
    }
  }
  if (common === null)
    throw new HoneError('data-empty', 'None of the first pictures can be decoded, so their size is not known.');
  notes.push({
    code: 'size-from-data',
    message: `The model takes any size; ${common.join('x')} is that of the pictures.`,
  });
  return common;
}

function reasonOf(thrown: unknown): string {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return message.replaceAll(/\s+/g, ' ').trim();
}
