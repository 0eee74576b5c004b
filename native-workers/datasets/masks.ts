/** Segmentation data: `images/NAME.jpg` with `masks/NAME.png` beside it, each pixel of the mask a class. */
import { basename } from 'node:path/posix';
import sharp from 'sharp';
import type { MaskLabel } from '../lib/batch.ts';
import type { ClassList } from './classes.ts';
import type { FileTree, TreeFile } from './file-tree.ts';
import { type ImageLabels, unmatchedNotes } from './image-labels.ts';
import { MOST_PIXELS, type Placement } from './image-pixels.ts';

const MASK_FOLDER = /(^|\/)(masks|annotations|labels)\//;
const MOST_MASK_BYTES = 256 * 2 ** 20;
/** What a mask holds where it does not count, and where the picture was filled up. */
export const NOT_COUNTED = 255;

const stem = (path: string): string => basename(path).replace(/\.[^.]+$/, '');

/** null when there is no folder of masks, or no picture has one. Pictures without a mask are no samples. */
export function readMasks(
  tree: FileTree,
  images: readonly TreeFile[],
  classList: ClassList | null,
): ImageLabels | null {
  const masks = new Map(
    tree.files
      .filter(({ path }) => MASK_FOLDER.test(path) && /\.(png|bmp|gif|tiff?)$/i.test(path))
      .map((file) => [stem(file.path), file]),
  );
  const pictures = images.filter(({ path }) => !MASK_FOLDER.test(path));
  const samples = pictures.filter(({ path }) => masks.has(stem(path)));
  if (samples.length === 0) return null;
  const used = new Set(samples.map(({ path }) => stem(path))).size;
  return {
    images: samples,
    labelled: true,
    grouped: false,
    classes: classList?.names ?? null,
    classesAssumed: false,
    notes: unmatchedNotes(
      'the folder of masks',
      { all: pictures.length, used: samples.length },
      { all: masks.size, used },
    ),
    knownLabel: () => null,
    labelOf: async ({ path }, placement, size) => {
      const mask = masks.get(stem(path)) as TreeFile;
      return placeMask(await decodeMask(await tree.read(mask, MOST_MASK_BYTES)), placement, size);
    },
    groupOf: () => null,
  };
}

/**
 * Classes by pixel: the gray value, or for a mask in Pascal VOC's colours the class of the colour (which is what a palette of
 * indexes decodes to). Rejects for other colours.
 */
async function decodeMask(bytes: Uint8Array): Promise<MaskLabel> {
  const image = sharp(bytes, { limitInputPixels: MOST_PIXELS, failOn: 'error', ignoreIcc: true }).removeAlpha();
  const { data, info } = await image.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  if (channels === 1) return { kind: 'mask', height, width, classes: data };
  const classes = new Uint8Array(width * height);
  let isGray = true;
  for (let at = 0; at < classes.length && isGray; at++) {
    isGray = data[at * channels] === data[at * channels + 1] && data[at * channels] === data[at * channels + 2];
  }
  for (let at = 0; at < classes.length; at++) {
    const red = data[at * channels] as number;
    const color = (red << 16) | ((data[at * channels + 1] as number) << 8) | (data[at * channels + 2] as number);
    const found = isGray ? red : VOC_CLASSES.get(color);
    if (found === undefined)
      throw new Error(`the mask has the colour #${color.toString(16).padStart(6, '0')}, which stands for no class`);
    classes[at] = found;
  }
  return { kind: 'mask', height, width, classes };
}

/** Pascal VOC's colour map: bits 0, 1, 2 of the class go to the top bit of red, green, blue, bits 3 to 5 to the next, and so on. */
const VOC_CLASSES: ReadonlyMap<number, number> = new Map(
  Array.from({ length: 256 }, (_, index) => {
    let color = 0;
    for (let bit = 0; bit < 8; bit++) {
      const plane = 2 - (bit % 3);
      if ((index >> bit) & 1) color |= 1 << (8 * plane + 7 - Math.floor(bit / 3));
    }
    return [color, index] as const;
  }),
);

/** The mask as the model sees the picture, by the nearest pixel. */
function placeMask(mask: MaskLabel, placement: Placement, [height, width]: readonly [number, number]): MaskLabel {
  const classes = new Uint8Array(height * width).fill(NOT_COUNTED);
  for (let y = 0; y < height; y++) {
    const fromY = Math.floor((((y + 0.5) / height - placement.offsetY) / placement.scaleY) * mask.height);
    if (fromY < 0 || fromY >= mask.height) continue;
    for (let x = 0; x < width; x++) {
      const fromX = Math.floor((((x + 0.5) / width - placement.offsetX) / placement.scaleX) * mask.width);
      if (fromX >= 0 && fromX < mask.width) classes[y * width + x] = mask.classes[fromY * mask.width + fromX] as number;
    }
  }
  return { kind: 'mask', height, width, classes };
}
