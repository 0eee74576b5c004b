/** What an example must know of a model's inputs and outputs, whatever its language and runtime. */
import type { Preprocess } from '../../protocol/request.ts';
import type { ArtifactSignature, SignatureValue } from '../target.ts';
import { inComment, numberLiteral } from './literals.ts';

export interface SnippetRequest {
  readonly target: string;
  /** File or folder name of the artifact. */
  readonly file: string;
  readonly requires: Readonly<Record<string, string>>;
  readonly signature: ArtifactSignature;
  /** With nothing left to defaults where pictures go in; see `preprocessOf` of the data sets. */
  readonly preprocess: Preprocess | null;
  readonly labels: readonly string[] | null;
}

/** How a picture becomes the input: complete, unlike `Preprocess`. Sizes in pixels. */
export interface Picture {
  readonly height: number;
  readonly width: number;
  /** What it is resized to before the middle is taken out. */
  readonly fullHeight: number;
  readonly fullWidth: number;
  readonly resize: 'shorter' | 'stretch' | 'fit';
  readonly layout: 'nchw' | 'nhwc';
  /** Which of a pixel's colours each channel takes. */
  readonly channels: readonly ('red' | 'green' | 'blue' | 'gray')[];
  readonly scale: number;
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/**
 * Sizes of a tensor as an example writes them. The batch is 1 where it is open; one further open size follows from the number of
 * elements (null in `sizes`); of more than one the caller must tell (`sizes` is null).
 */
export interface Extent {
  readonly sizes: readonly (number | null)[] | null;
  /** Product of the sizes that are known. */
  readonly count: number;
}

export function extentOf({ shape }: SignatureValue): Extent {
  const sizes = shape.map((dim, axis) =>
    typeof dim === 'number' && dim >= 0 ? dim : axis === 0 && shape.length > 1 ? 1 : null,
  );
  const count = sizes.reduce<number>((product, dim) => product * (dim ?? 1), 1);
  return { sizes: sizes.filter((dim) => dim === null).length > 1 ? null : sizes, count };
}

/** What must hold for an array of `length` elements to be of this extent, as code of either language; null where anything may. */
export function lengthCondition(length: string, { sizes, count }: Extent): string | null {
  if (sizes === null) return null;
  if (!sizes.includes(null)) return `${length} == ${count}`;
  return count > 1 ? `${length} % ${count} == 0` : null;
}

/** null where the preparation is not known, or where the model takes more than one picture. */
export function pictureOf({ signature, preprocess }: SnippetRequest): Picture | null {
  const [input, ...others] = signature.inputs;
  if (input === undefined || others.length > 0 || preprocess === null) return null;
  const { layout, scale, mean, std, color, resize = 'shorter', crop } = preprocess;
  if (layout === undefined || scale === undefined || mean === undefined || std === undefined) return null;
  const dims = input.shape.length === 4 ? input.shape.slice(1) : input.shape;
  if (dims.length !== 3) return null;
  const [channels, rows, columns] = layout === 'nchw' ? dims : [dims[2], dims[0], dims[1]];
  const height = typeof rows === 'number' ? rows : preprocess.size?.[0];
  const width = typeof columns === 'number' ? columns : preprocess.size?.[1];
  const depth = typeof channels === 'number' ? channels : color === 'gray' ? 1 : 3;
  if (height === undefined || width === undefined || mean.length !== depth || std.length !== depth) return null;
  if (depth !== 1 && depth !== 3) return null;
  const colors = color === 'bgr' ? (['blue', 'green', 'red'] as const) : (['red', 'green', 'blue'] as const);
  const share = typeof crop === 'number' ? crop : 1;
  return {
    height,
    width,
    fullHeight: Math.round(height / share),
    fullWidth: Math.round(width / share),
    resize,
    layout,
    channels: color === 'gray' || depth === 1 ? new Array<'gray'>(depth).fill('gray') : colors,
    scale,
    mean,
    std,
  };
}

/** Of a picture's input, with the sizes that the picture is brought to. */
export function pictureSizes({ height, width, layout, channels }: Picture, { shape }: SignatureValue): number[] {
  const sizes = layout === 'nchw' ? [channels.length, height, width] : [height, width, channels.length];
  return shape.length === 4 ? [1, ...sizes] : sizes;
}

/** In words, for the comment over the code of either language. */
export function wayOf({ resize, height, width, fullHeight, fullWidth, layout, channels }: Picture): string {
  const full = `${fullWidth} x ${fullHeight}`;
  const fit = {
    shorter: `scaled to cover ${full}`,
    stretch: `stretched to ${full}`,
    fit: `scaled into ${full} on black`,
  };
  return `${fit[resize]}, the middle ${width} x ${height} of it, ${channels.join(', ')}, ${layout}, each channel normalised`;
}

/** Where the element of a channel stands. */
export function placeOf({ layout, height, width, channels }: Picture, channel: number): string {
  if (layout === 'nhwc')
    return channels.length === 1 ? 'pixel' : `pixel * ${channels.length}${channel === 0 ? '' : ` + ${channel}`}`;
  return channel === 0 ? 'pixel' : `pixel + ${channel * height * width}`;
}

/** The first output with one score for each label and no more; -1 when there is none. */
export function scoresOf({ signature, labels }: SnippetRequest): number {
  return labels === null ? -1 : signature.outputs.findIndex((output) => extentOf(output).count === labels.length);
}

/** `"scores": float32 [1, 10]`, for a comment. */
export function described({ name, dtype, shape, quantization }: SignatureValue): string {
  const sizes = shape.map((dim) => inComment(String(dim ?? '?'))).join(', ');
  const stored =
    quantization === undefined
      ? ''
      : `, real = (stored - ${numberLiteral(quantization.zeroPoint)}) * ${quantization.scale}`;
  return `"${inComment(name)}": ${dtype} [${sizes}]${stored}`;
}

/** Lines without the empty ones at either end, each block apart from the next by one empty line. */
export function joined(blocks: readonly (string | null)[]): string {
  return `${blocks.filter((block) => block !== null && block !== '').join('\n\n')}\n`;
}

/** For a runtime whose API in this language lacks an element type: no code is better than code that cannot work. */
export function withoutApi(what: string, values: readonly SignatureValue[], instead: string): string {
  const which = values.map((value) => `//   ${described(value)}`).join('\n');
  return `// ${what} has no tensors of these types:\n${which}\n// ${instead}\n`;
}
