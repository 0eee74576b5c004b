/** Layers that models of `keras.applications` bring along, told from classes of users by the options that only they have. */
import { elementwise } from './activation.ts';
import { onlyInput, type Raise } from './layer.ts';
import { commonLayout } from './merge.ts';

/** ConvNeXt: each channel times a weight (`convnext.py`). */
const layerScale: Raise = (layer, inputs, builder) => {
  const input = onlyInput(inputs, builder);
  layer.required('projection_dim');
  const gamma = layer.weight('gamma', ['gamma'], 1);
  return elementwise(input, builder, (x, layout) => {
    const ones = new Array<number>(layout === 'first' ? input.shape.length - 2 : 0).fill(1);
    return builder.op('Mul', [x, builder.weight('gamma', gamma.reshaped([gamma.size, ...ones]))]);
  });
};

/** Inception-ResNet: a branch, scaled, on top of the way past it (`inception_resnet_v2.py`). */
const customScale: Raise = (layer, inputs, builder) => {
  const [way, branch] = inputs.tensors;
  if (way === undefined || branch === undefined) throw builder.corrupt('needs two tensors.');
  const scale = builder.float(layer.required('scale'));
  const layout = commonLayout([way, branch], builder);
  const value = builder.op('Add', [
    builder.value(way, layout),
    builder.op('Mul', [builder.value(branch, layout), scale]),
  ]);
  return builder.result(value, way.shape, layout);
};

export const APPLICATION_LAYERS: Readonly<Record<string, Raise>> = {
  LayerScale: layerScale,
  CustomScaleLayer: customScale,
  'Custom>CustomScaleLayer': customScale,
};
