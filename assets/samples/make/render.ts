/** Draws labelled pictures of printed letters: SVG text through sharp, in the fonts of the machine, with clutter and blur. */
import sharp from 'sharp';
import type { Random } from '../../../native-workers/lib/random.ts';

export const SIZE = 32;
export const CLASSES = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'];

/** Families by split: a letter is tested in type faces that were never trained on. */
export interface Fonts {
  readonly train: readonly string[];
  readonly test: readonly string[];
}

/** A picture of one letter as raw RGB bytes, SIZE x SIZE x 3. */
export async function drawLetter(label: number, fonts: readonly string[], random: Random): Promise<Buffer> {
  const between = (low: number, high: number): number => low + (high - low) * random.float();
  const hue = random.below(360);
  const dark = random.float() < 0.5;
  const background = `hsl(${hue} ${between(5, 60)}% ${dark ? between(8, 35) : between(68, 95)}%)`;
  const ink = `hsl(${(hue + between(60, 300)) % 360} ${between(10, 80)}% ${dark ? between(65, 96) : between(4, 32)}%)`;
  const clutter = Array.from({ length: random.below(4) }, () => {
    const [x1, y1, x2, y2] = [0, 0, 0, 0].map(() => Math.round(between(-4, SIZE + 4)));
    const colour = `hsl(${random.below(360)} 40% ${between(20, 80)}%)`;
    return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="${colour}" stroke-opacity="0.55" stroke-width="${between(0.4, 1.6)}"/>`;
  });
  const middle = SIZE / 2;
  const font = fonts[random.below(fonts.length)] ?? 'sans-serif';
  const text = [
    `<g transform="translate(${middle + between(-3, 3)} ${middle + between(-3, 3)}) rotate(${between(-22, 22)}) `,
    `skewX(${between(-14, 14)}) scale(${between(0.8, 1.15)} ${between(0.85, 1.15)})">`,
    `<text x="0" y="${between(17, 25) * 0.36}" text-anchor="middle" font-family="${font}" font-size="${between(17, 25)}" `,
    `font-weight="${random.float() < 0.5 ? 400 : 700}" fill="${ink}">${CLASSES[label]}</text></g>`,
  ].join('');
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${SIZE}" height="${SIZE}"><rect width="100%" height="100%" fill="${background}"/>${clutter.join('')}${text}</svg>`;
  let picture = sharp(Buffer.from(svg)).removeAlpha();
  if (random.float() < 0.4) picture = picture.blur(between(0.4, 1.1));
  const pixels = await picture.raw().toBuffer();
  const noise = between(0, 14);
  for (let index = 0; index < pixels.length; index++) {
    pixels[index] = Math.max(0, Math.min(255, Math.round((pixels[index] as number) + noise * random.normal())));
  }
  return pixels;
}

/** Channels first, with the preprocessing of the sample: (x / 255 - 0.5) / 0.25. */
export function toInput(pixels: Uint8Array, target: Float32Array, offset: number): void {
  const plane = SIZE * SIZE;
  for (let at = 0; at < plane; at++) {
    for (let channel = 0; channel < 3; channel++) {
      target[offset + channel * plane + at] = ((pixels[at * 3 + channel] as number) / 255 - 0.5) / 0.25;
    }
  }
}
