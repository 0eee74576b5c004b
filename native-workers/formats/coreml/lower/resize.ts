/** Resizing of pictures. */
import type { Node } from '../../../graph/node.ts';
import { type Lower, type Lowering, Refusal } from './lowering.ts';

function resize(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  const { shape } = x.type;
  const output = lowering.shape(lowering.output(node));
  if (shape.length !== 4 || output.length !== 4) throw new Refusal('Core ML resizes the last two of four dimensions');
  const [height, width] = output.slice(2);
  const [fromHeight, fromWidth] = shape.slice(2);
  if (
    typeof height !== 'number' ||
    typeof width !== 'number' ||
    typeof fromHeight !== 'number' ||
    typeof fromWidth !== 'number'
  ) {
    throw new Refusal('the size after resizing is not known');
  }
  if (output[1] !== shape[1]) throw new Refusal('Core ML resizes the last two dimensions only');
  // With scales that give no whole sizes, ONNX samples by the scales and Core ML by the sizes.
  const scales = node.opType === 'Upsample' ? null : lowering.numbers(node, lowering.opset < 11 ? 1 : 2);
  const given = node.inputs[lowering.opset < 11 ? 1 : 2];
  if (scales === null && given && node.opType === 'Resize') throw new Refusal('the scales are computed');
  if (scales?.some((scale, axis) => Math.abs(scale * (shape[axis] ?? 1) - (output[axis] ?? 1)) > 1e-3)) {
    throw new Refusal('the scales give no whole sizes');
  }
  const mode = node.string('mode', 'nearest');
  const legacy = node.opType === 'Upsample' || lowering.opset < 11;
  const coordinates = legacy ? 'asymmetric' : node.string('coordinate_transformation_mode', 'half_pixel');
  const scaled = height % fromHeight === 0 && width % fromWidth === 0;
  if (mode === 'nearest') {
    const rounding = legacy ? 'floor' : node.string('nearest_mode', 'round_prefer_floor');
    // Repeating each element is what all of these do for whole factors.
    const repeats =
      scaled &&
      ((coordinates === 'asymmetric' && rounding === 'floor') ||
        (coordinates.endsWith('half_pixel') && rounding.startsWith('round')));
    if (!repeats) throw new Refusal('Core ML repeats elements by whole factors only');
    lowering.out(node, 'upsample_nearest_neighbor', {
      x,
      scale_factor_height: lowering.int(height / fromHeight, 'scale_h'),
      scale_factor_width: lowering.int(width / fromWidth, 'scale_w'),
    });
    return;
  }
  if (mode !== 'linear' && mode !== 'bilinear') throw new Refusal(`Core ML has no resizing of the mode ${mode}`);
  const modes: Readonly<Record<string, string>> = {
    align_corners: 'STRICT_ALIGN_CORNERS',
    half_pixel: 'UNALIGN_CORNERS',
    pytorch_half_pixel: 'UNALIGN_CORNERS',
    asymmetric: 'DEFAULT',
  };
  const sampling = modes[coordinates];
  const oneToOne = coordinates === 'pytorch_half_pixel' && (height === 1 || width === 1);
  if (sampling === undefined || coordinates === 'asymmetric' || oneToOne)
    throw new Refusal(`Core ML has no bilinear resizing with coordinates ${coordinates}`);
  if (node.int('antialias', 0) !== 0) throw new Refusal('Core ML does not smooth when it shrinks');
  if (coordinates === 'align_corners' && (height === 1 || width === 1))
    throw new Refusal('corners cannot be aligned in one element');
  lowering.out(node, 'resize_bilinear', {
    x,
    target_size_height: lowering.int(height, 'height'),
    target_size_width: lowering.int(width, 'width'),
    sampling_mode: lowering.text(sampling, 'sampling_mode'),
  });
}

export const RESIZE: Readonly<Record<string, Lower>> = { Resize: resize, Upsample: resize };
