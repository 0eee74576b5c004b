/** Labels as something to look at: as words, and over the picture where they mark something in it. */
import type { Label, MaskLabel } from '../lib/batch.ts';
import type { InputPreview } from '../protocol/preview.ts';
import { encodePng } from './image-pixels.ts';
import { NOT_COUNTED } from './masks.ts';

/** Classes of a picture's objects that are named. */
const MOST_NAMES = 4;

export function labelText(label: Label, classes: readonly string[] | null): string | null {
  if (label === null) return null;
  if (typeof label === 'number') return classes?.[label] ?? numberText(label);
  if (!('kind' in label)) return label.map(numberText).join(', ');
  if (label.kind === 'mask') return `mask of ${label.height} x ${label.width}`;
  const counts = Map.groupBy(label.boxes, (box) => nameOf(box.class, classes));
  if (counts.size === 0) return 'no objects';
  const names = [...counts].slice(0, MOST_NAMES).map(([name, boxes]) => `${boxes.length} × ${name}`);
  return [...names, ...(counts.size > MOST_NAMES ? ['…'] : [])].join(', ');
}

/** Values to predict come from float32 arrays, whose rounding nobody wants to read. */
const numberText = (value: number): string => String(Number(value.toPrecision(6))).replace('-', '\u2212');

const nameOf = (index: number, classes: readonly string[] | null): string => classes?.[index] ?? `class ${index}`;

/** What a label marks in a picture of this height and width; nothing for labels of the whole picture. */
export async function marksOf(
  label: Label,
  classes: readonly string[] | null,
  [height, width]: readonly [number, number],
): Promise<Pick<InputPreview, 'marks'>> {
  if (label === null || typeof label === 'number' || !('kind' in label)) return {};
  if (label.kind === 'mask') return { marks: { height, width, boxes: [], mask: await maskPicture(label) } };
  const boxes = label.boxes.map((each) => ({ name: nameOf(each.class, classes), box: [...each.box] as Corners }));
  return { marks: { height, width, boxes } };
}

type Corners = [number, number, number, number];

const ALPHA = 140;
/** Turns of the colour wheel from class to class that never come back near one of the last few. */
const GOLDEN_TURN = 0.6180339887;

/** A colour a class, black for class 0, which is mostly the background; nothing where pixels do not count. */
async function maskPicture({ height, width, classes }: MaskLabel): Promise<string> {
  const data = new Uint8Array(4 * height * width);
  classes.forEach((index, pixel) => {
    if (index === NOT_COUNTED) return;
    for (let channel = 0; index > 0 && channel < 3; channel++) {
      const turn = index * GOLDEN_TURN - channel / 3;
      data[4 * pixel + channel] = Math.round(127.5 * (1 + Math.cos(2 * Math.PI * turn)));
    }
    data[4 * pixel + 3] = ALPHA;
  });
  const png = await encodePng({ data, height, width, channels: 4 });
  return `data:image/png;base64,${png.toString('base64')}`;
}
