/**
 * Pictures as tensors. Decoding, EXIF orientation and resizing are libvips' (sharp); colour follows what training tools do:
 * alpha is dropped and not blended, 16 bits become 8, embedded colour profiles are ignored, gray is ITU-R 601 luma.
 */
import sharp, { type Sharp, type SharpInput } from 'sharp';
import type { DType } from '../graph/dtype.ts';
import type { HostTensor } from '../lib/engine.ts';
import type { ImageSpec } from './image-spec.ts';
import { allocate, toDType } from './numbers.ts';

/** A decoded picture may have this many pixels (10,000 x 10,000); a larger one is skipped. */
export const MOST_PIXELS = 1e8;

// One thread a picture: several are decoded at once. The cache would hold pictures that are never asked for again.
sharp.concurrency(1);
sharp.cache(false);

/** Decoded pixels, interleaved: 3 bytes RGB, or 4 with alpha. */
export interface Pixels {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly channels: 3 | 4;
}

/** Where a picture of `width` x `height` lies in what the model sees, as a map of shares: seen = share * scale + offset. */
export interface Placement {
  readonly scaleX: number;
  readonly offsetX: number;
  readonly scaleY: number;
  readonly offsetY: number;
}

/** Height and width after EXIF orientation, from the header alone. */
export async function imageSize(bytes: Uint8Array): Promise<readonly [height: number, width: number]> {
  const { autoOrient } = await open(bytes).metadata();
  return [autoOrient.height, autoOrient.width];
}

/** Decodes a picture and brings it to `size`. Rejects with libvips' reason when it cannot be decoded or is too large. */
export async function decodeImage(
  bytes: Uint8Array,
  spec: Pick<ImageSpec, 'channels' | 'resize' | 'crop'>,
  size: readonly [number, number],
): Promise<{ pixels: Pixels; placement: Placement }> {
  const { autoOrient, hasAlpha } = await open(bytes).metadata();
  const { width, height } = autoOrient;
  if (width * height > MOST_PIXELS) throw new Error(`it has ${width}x${height} pixels, more than ${MOST_PIXELS}`);
  // Resizing premultiplies alpha, which changes colours; so an alpha channel that is dropped must go before.
  const source =
    hasAlpha && spec.channels !== 4 ? fromPixels(await rawPixels(open(bytes).removeAlpha(), 3)) : open(bytes);
  const pixels = await resizePixels(source, [height, width], spec, size);
  return { pixels, placement: placementOf([height, width], spec, size) };
}

/** Brings decoded pixels (from an array of pictures) to `size`. */
export async function fitPixels(
  pixels: Pixels,
  spec: Pick<ImageSpec, 'channels' | 'resize' | 'crop'>,
  size: readonly [number, number],
): Promise<Pixels> {
  if (pixels.height === size[0] && pixels.width === size[1] && spec.crop === 1) return pixels;
  return resizePixels(fromPixels(pixels), [pixels.height, pixels.width], spec, size);
}

const open = (input: SharpInput): Sharp =>
  sharp(input, { limitInputPixels: MOST_PIXELS, failOn: 'error', autoOrient: true, ignoreIcc: true });

const fromPixels = ({ data, width, height, channels }: Pixels): Sharp =>
  sharp(data, { raw: { width, height, channels }, limitInputPixels: MOST_PIXELS });

async function resizePixels(
  source: Sharp,
  from: readonly [number, number],
  spec: Pick<ImageSpec, 'channels' | 'resize' | 'crop'>,
  [height, width]: readonly [number, number],
): Promise<Pixels> {
  let image = source;
  if (from[0] !== height || from[1] !== width || spec.crop !== 1) {
    const [fullHeight, fullWidth] = fullSize([height, width], spec.crop);
    const fit = ({ shorter: 'cover', stretch: 'fill', fit: 'contain' } as const)[spec.resize];
    image = image.resize(fullWidth, fullHeight, {
      fit,
      position: 'centre',
      kernel: 'linear',
      background: { r: 0, g: 0, b: 0, alpha: 1 },
      fastShrinkOnLoad: false,
    });
    if (spec.crop !== 1) {
      image = image.extract({ left: (fullWidth - width) >> 1, top: (fullHeight - height) >> 1, width, height });
    }
  }
  return spec.channels === 4 ? rawPixels(image.ensureAlpha(), 4) : rawPixels(image.removeAlpha(), 3);
}

/** The size that the picture is resized to before the centre crop takes `size` out of it. */
const fullSize = ([height, width]: readonly [number, number], crop: number): readonly [number, number] => [
  Math.round(height / crop),
  Math.round(width / crop),
];

async function rawPixels(image: Sharp, channels: 3 | 4): Promise<Pixels> {
  const { data, info } = await image
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  const { width, height } = info;
  if (info.channels === channels) return { data, width, height, channels };
  // A gray picture may come with one channel, or two with alpha.
  const wide = new Uint8Array(width * height * channels);
  for (let pixel = 0; pixel < width * height; pixel++) {
    const gray = data[pixel * info.channels] as number;
    wide.fill(gray, pixel * channels, pixel * channels + 3);
    if (channels === 4) wide[pixel * 4 + 3] = info.channels === 2 ? (data[pixel * 2 + 1] as number) : 255;
  }
  return { data: wide, width, height, channels };
}

export function placementOf(
  [height, width]: readonly [number, number],
  { resize, crop }: Pick<ImageSpec, 'resize' | 'crop'>,
  [seenHeight, seenWidth]: readonly [number, number],
): Placement {
  const [fullHeight, fullWidth] = fullSize([seenHeight, seenWidth], crop);
  const ratios = [fullWidth / width, fullHeight / height] as const;
  const one = resize === 'shorter' ? Math.max(...ratios) : Math.min(...ratios);
  const [ratioX, ratioY] = resize === 'stretch' ? ratios : [one, one];
  return {
    scaleX: (width * ratioX) / seenWidth,
    offsetX: (seenWidth - width * ratioX) / 2 / seenWidth,
    scaleY: (height * ratioY) / seenHeight,
    offsetY: (seenHeight - height * ratioY) / 2 / seenHeight,
  };
}

/** Normalised pixels in the layout of the model, without the batch axis. */
export function pixelsToTensor(pixels: Pixels, spec: ImageSpec): HostTensor {
  const { data, width, height, channels: stored } = pixels;
  const { channels, layout } = spec;
  const planes = channelPlanes(spec);
  const tables = planes.map((_, channel) => lookupTable(spec, channel));
  const count = width * height;
  // Most models take float32, or bytes as they are; the rest goes through doubles.
  const direct = spec.input.dtype === 'float32' || spec.input.dtype === 'uint8' || spec.input.dtype === 'int8';
  const values = direct
    ? (allocate(spec.input.dtype, count * channels) as Float32Array)
    : new Float64Array(count * channels);
  for (let channel = 0; channel < channels; channel++) {
    const table = tables[channel] as Float64Array;
    const plane = planes[channel] as number;
    const step = layout === 'nchw' ? 1 : channels;
    let to = layout === 'nchw' ? channel * count : channel;
    for (let pixel = 0, from = 0; pixel < count; pixel++, from += stored, to += step) {
      const byte = plane === LUMA ? luma(data, from) : (data[from + plane] as number);
      values[to] = table[byte] as number;
    }
  }
  const shape = layout === 'nchw' ? [channels, height, width] : [height, width, channels];
  const { dtype } = spec.input;
  return { dtype, shape, data: direct ? values : toDType(values, dtype, 'the picture') };
}

const LUMA = -1;

/** Which byte of a pixel each channel of the tensor takes; LUMA for their weighted sum. */
function channelPlanes({ channels, color }: ImageSpec): readonly number[] {
  if (color === 'gray') return channels === 4 ? [LUMA, LUMA, LUMA, 3] : new Array<number>(channels).fill(LUMA);
  const order = color === 'bgr' ? [2, 1, 0] : [0, 1, 2];
  return channels === 4 ? [...order, 3] : order;
}

/** ITU-R 601, in 16-bit fixed point as Pillow's "L" conversion. */
function luma(data: Uint8Array, at: number): number {
  return (
    ((data[at] as number) * 19595 + (data[at + 1] as number) * 38470 + (data[at + 2] as number) * 7471 + 0x8000) >> 16
  );
}

function lookupTable({ scale, mean, std, input }: ImageSpec, channel: number): Float64Array {
  const limits = INTEGER_LIMITS[input.dtype];
  return Float64Array.from({ length: 256 }, (_, byte) => {
    const value = (byte * scale - (mean[channel] as number)) / (std[channel] as number);
    return limits === undefined ? value : Math.min(limits[1], Math.max(limits[0], Math.round(value)));
  });
}

const INTEGER_LIMITS: Partial<Record<DType, readonly [number, number]>> = { uint8: [0, 255], int8: [-128, 127] };

/** The picture that a tensor of one sample stands for: normalisation undone, clamped to 0..255, channels as RGB. */
export function tensorToPixels(
  values: ArrayLike<number>,
  spec: ImageSpec,
  [height, width]: readonly [number, number],
): Pixels {
  const { channels, layout, scale, mean, std, color } = spec;
  const count = width * height;
  const data = new Uint8Array(count * 3);
  for (let pixel = 0; pixel < count; pixel++) {
    for (let plane = 0; plane < 3; plane++) {
      const channel = channels === 1 ? 0 : color === 'bgr' ? 2 - plane : plane;
      const value = values[layout === 'nchw' ? channel * count + pixel : pixel * channels + channel] as number;
      const byte = (value * (std[channel] as number) + (mean[channel] as number)) / scale;
      data[pixel * 3 + plane] = Math.min(255, Math.max(0, Math.round(byte)));
    }
  }
  return { data, width, height, channels: 3 };
}

export async function encodePng(pixels: Pixels): Promise<Buffer> {
  return fromPixels(pixels).png().toBuffer();
}
