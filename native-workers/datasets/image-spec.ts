/**
 * How a picture becomes the tensor that a model takes: what the preprocessing says, and for what it leaves out, what the
 * model's signature says.
 *
 * Defaults: layout by where 3, else 1, else 4 stands in the input's shape (nchw when that does not tell); size from the shape;
 * colour rgb, or gray for one channel; resize `shorter` with a centre crop; scale 1/255 for float inputs and 1 for integer
 * ones, mean 128 for int8; no other mean and std, which is said, as most networks were trained with some.
 */
import type { DType } from '../graph/dtype.ts';
import type { Dim } from '../graph/types.ts';
import { HoneError } from '../protocol/errors.ts';
import type { Preprocess } from '../protocol/request.ts';
import type { DatasetNote } from './dataset.ts';
import { type InputTensor, inputTensor, type ModelSignature } from './signature.ts';

export interface ImageSpec {
  readonly input: InputTensor;
  /** Pixels; null where the model takes any size and the pictures decide. */
  readonly size: readonly [height: number, width: number] | null;
  readonly channels: 1 | 3 | 4;
  readonly color: 'rgb' | 'bgr' | 'gray';
  readonly layout: 'nchw' | 'nhwc';
  readonly resize: 'shorter' | 'stretch' | 'fit';
  /** Share of the resized picture that the centre crop keeps along each axis; 1 keeps all. */
  readonly crop: number;
  readonly scale: number;
  /** One a channel, in the order of the tensor's channels. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
  /** True when the input has no batch axis. */
  readonly batchless: boolean;
}

export interface ResolvedImageSpec {
  readonly spec: ImageSpec;
  readonly notes: readonly DatasetNote[];
}

const PIXEL_TYPES: ReadonlySet<DType> = new Set<DType>(['float32', 'float16', 'float64', 'bfloat16', 'uint8', 'int8']);
const isChannels = (dim: Dim | undefined): dim is 1 | 3 | 4 => dim === 1 || dim === 3 || dim === 4;

/** The input that pictures go to: the first of rank 4, or rank 3 for one without a batch axis; null when there is none. */
export function imageInputOf(signature: ModelSignature): InputTensor | null {
  const tensors = signature.inputs
    .filter(({ type }) => type.kind === 'tensor' && type.dtype !== null && type.shape !== null)
    .map(inputTensor)
    .filter(({ dtype }) => PIXEL_TYPES.has(dtype));
  const ofRank = (rank: number): InputTensor | undefined => tensors.find(({ shape }) => shape.length === rank);
  return ofRank(4) ?? ofRank(3) ?? null;
}

/**
 * Throws `data-mismatch` when the model has no input for pictures, other inputs besides, or a channel count that no picture
 * has; `preprocess-invalid` when the description contradicts the model.
 */
export function resolveImageSpec(signature: ModelSignature, preprocess: Preprocess): ResolvedImageSpec {
  const input = imageInputOf(signature);
  if (input === null) {
    const inputs = signature.inputs.map(({ name }) => `'${name}'`).join(', ');
    throw new HoneError(
      'data-mismatch',
      `The model takes no pictures: none of its inputs (${inputs}) is a 4-dimensional tensor.`,
    );
  }
  const others = signature.inputs.filter(({ name }) => name !== input.name).map(({ name }) => `'${name}'`);
  if (others.length > 0) {
    throw new HoneError(
      'data-mismatch',
      `Pictures go to '${input.name}', and the data holds nothing for ${others.join(', ')}; give an .npz with all inputs.`,
    );
  }
  const notes: DatasetNote[] = [];
  const batchless = input.shape.length === 3;
  const dims = batchless ? input.shape : input.shape.slice(1);
  const layout = preprocess.layout ?? layoutOf(dims, notes);
  const [channelDim, heightDim, widthDim] = layout === 'nchw' ? dims : [dims[2], dims[0], dims[1]];
  if (typeof channelDim === 'number' && !isChannels(channelDim)) {
    throw new HoneError(
      'data-mismatch',
      `The input '${input.name}' has ${channelDim} channels in ${layout} layout; pictures have 1, 3 or 4. Give an .npz, or another layout.`,
      { where: { tensor: input.name } },
    );
  }
  const channels = isChannels(channelDim) ? channelDim : preprocess.color === 'gray' ? 1 : 3;
  const color = preprocess.color ?? (channels === 1 ? 'gray' : 'rgb');
  if (channels === 1 && color !== 'gray') {
    throw invalid(`color is '${color}', but the input '${input.name}' has one channel.`);
  }
  const size = sizeOf(input, preprocess, heightDim, widthDim);
  const { scale, mean, std } = normalisationOf(input, preprocess, channels, notes);
  if (preprocess.resize === 'shorter' && preprocess.crop === false) {
    throw invalid('resize `shorter` without a crop gives pictures of different sizes; use `fit` or `stretch`.');
  }
  const crop = typeof preprocess.crop === 'number' ? preprocess.crop : 1;
  if (crop > 1) throw invalid(`crop is ${crop}; a share is at most 1.`);
  const spec: ImageSpec = {
    input,
    size,
    channels,
    color,
    layout,
    resize: preprocess.resize ?? 'shorter',
    crop,
    scale,
    mean,
    std,
    batchless,
  };
  return { spec, notes };
}

/** The description that gives `spec` again, with nothing left to defaults. */
export function preprocessOf({ size, resize, crop, color, scale, mean, std, layout }: ImageSpec): Preprocess {
  return {
    ...(size === null ? {} : { size: [size[0], size[1]] }),
    resize,
    crop: crop === 1 ? resize === 'shorter' : crop,
    color,
    scale,
    mean: [...mean],
    std: [...std],
    layout,
  };
}

/** How likely a dimension is to be the channels and no side of a picture. */
function channelRank(dim: Dim | undefined): number {
  return dim === 3 ? 3 : dim === 1 ? 2 : dim === 4 ? 1 : 0;
}

function layoutOf(dims: readonly Dim[], notes: DatasetNote[]): 'nchw' | 'nhwc' {
  const [first, last] = [channelRank(dims[0]), channelRank(dims[2])];
  if (first === last) {
    notes.push({ code: 'layout-assumed', message: 'The shape does not tell where the channels are; nchw is assumed.' });
  }
  return last > first ? 'nhwc' : 'nchw';
}

function sizeOf(
  input: InputTensor,
  preprocess: Preprocess,
  height: Dim | undefined,
  width: Dim | undefined,
): ImageSpec['size'] {
  const fixed = (dim: Dim | undefined): number | null => (typeof dim === 'number' ? dim : null);
  const [h, w] = [fixed(height), fixed(width)];
  const asked = preprocess.size;
  if (asked !== undefined) {
    if ((h !== null && h !== asked[0]) || (w !== null && w !== asked[1])) {
      throw invalid(
        `size is ${asked.join('x')}, but the input '${input.name}' takes ${h ?? 'any'}x${w ?? 'any'} (height x width).`,
      );
    }
    return asked;
  }
  return h === null || w === null ? null : [h, w];
}

function normalisationOf(
  input: InputTensor,
  preprocess: Preprocess,
  channels: number,
  notes: DatasetNote[],
): Pick<ImageSpec, 'scale' | 'mean' | 'std'> {
  const isInteger = input.dtype === 'uint8' || input.dtype === 'int8';
  const scale = preprocess.scale ?? (isInteger ? 1 : 1 / 255);
  const each = (values: readonly number[] | undefined, fallback: number, field: string): number[] => {
    if (values === undefined) return new Array<number>(channels).fill(fallback);
    if (values.length === 1) return new Array<number>(channels).fill(values[0] as number);
    if (values.length !== channels) throw invalid(`${field} has ${values.length} numbers for ${channels} channels.`);
    return [...values];
  };
  const mean = each(preprocess.mean, input.dtype === 'int8' && preprocess.scale === undefined ? 128 : 0, 'mean');
  const std = each(preprocess.std, 1, 'std');
  if (std.some((value) => value === 0 || !Number.isFinite(value))) throw invalid('std must not be zero.');
  if (preprocess.mean === undefined && preprocess.std === undefined && preprocess.scale === undefined) {
    const range = isInteger ? (input.dtype === 'int8' ? '-128 to 127' : '0 to 255') : '0 to 1';
    notes.push({
      code: 'normalisation-unknown',
      message: `No scale, mean and std are given: pixels are fed as ${range}. If the model was trained otherwise, its accuracy is not what is measured here.`,
    });
  }
  return { scale, mean, std };
}

function invalid(reason: string): HoneError {
  return new HoneError('preprocess-invalid', `The preprocessing does not fit: ${reason}`);
}
