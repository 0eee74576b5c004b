/** Makes the icons of the app from the studio's icon: PNG for Linux, ICO for Windows, ICNS for macOS. Run: `node assets/icons/make.ts` */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';

const HERE = import.meta.dirname;
const SVG = join(HERE, '../../renderer/icon.svg');
/** Of its side, in its own units. */
const SVG_SIDE = 32;

/** Pixels of the icons of a desktop theme (freedesktop.org, icon theme specification), and up for dense displays. */
const PNG_SIZES = [16, 32, 48, 64, 128, 256, 512, 1024];
const ICO_SIZES = [16, 24, 32, 48, 64, 128, 256];
/** Types of ICNS entries that hold PNG: Apple's names for a size, and for half of it on dense displays. */
const ICNS_TYPES: readonly (readonly [string, number])[] = [
  ['ic11', 32],
  ['ic12', 64],
  ['ic07', 128],
  ['ic13', 256],
  ['ic08', 256],
  ['ic14', 512],
  ['ic09', 512],
  ['ic10', 1024],
];
/** Icons of macOS leave this part of each side free. */
const MAC_MARGIN = 0.1;

async function png(size: number, margin = 0): Promise<Buffer> {
  const border = Math.round(size * margin);
  const side = size - 2 * border;
  const drawn = sharp(await readFile(SVG), { density: (72 * side) / SVG_SIDE }).resize(side, side);
  const clear = { r: 0, g: 0, b: 0, alpha: 0 };
  return drawn
    .extend({ top: border, bottom: border, left: border, right: border, background: clear })
    .png({ compressionLevel: 9 })
    .toBuffer();
}

/** ICO with PNG entries (Windows Vista and later): a header, a directory of 16 bytes an image, the images. */
async function ico(): Promise<Buffer> {
  const images = await Promise.all(ICO_SIZES.map((size) => png(size)));
  const header = Buffer.alloc(6 + 16 * images.length);
  header.writeUInt16LE(1, 2);
  header.writeUInt16LE(images.length, 4);
  let offset = header.length;
  images.forEach((image, index) => {
    const at = 6 + 16 * index;
    // 256 is written as 0.
    const side = (ICO_SIZES[index] ?? 0) % 256;
    header.writeUInt8(side, at);
    header.writeUInt8(side, at + 1);
    header.writeUInt16LE(1, at + 4);
    header.writeUInt16LE(32, at + 6);
    header.writeUInt32LE(image.length, at + 8);
    header.writeUInt32LE(offset, at + 12);
    offset += image.length;
  });
  return Buffer.concat([header, ...images]);
}

/** ICNS: a header with the whole length, then entries of a type, a length and a PNG. */
async function icns(): Promise<Buffer> {
  const entries = await Promise.all(
    ICNS_TYPES.map(async ([type, size]) => {
      const image = await png(size, MAC_MARGIN);
      return Buffer.concat([chunkHeader(type, image.length), image]);
    }),
  );
  const body = Buffer.concat(entries);
  return Buffer.concat([chunkHeader('icns', body.length), body]);
}

function chunkHeader(type: string, length: number): Buffer {
  const header = Buffer.alloc(8);
  header.write(type, 0, 'latin1');
  header.writeUInt32BE(length + header.length, 4);
  return header;
}

await mkdir(join(HERE, 'png'), { recursive: true });
for (const size of PNG_SIZES) await writeFile(join(HERE, 'png', `${size}x${size}.png`), await png(size));
await writeFile(join(HERE, 'icon.ico'), await ico());
await writeFile(join(HERE, 'icon.icns'), await icns());
