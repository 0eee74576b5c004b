/** The interface of a model, as apps and Xcode see it. */
import type { FieldWriter } from '../../lib/protobuf-writer.ts';
import type { ImageFeature, MilFeature, MilPackage } from './program.ts';
import {
  ARRAY_FEATURE,
  ARRAY_SHAPE,
  ARRAY_TYPE,
  COLOR_SPACE,
  DESCRIPTION,
  DICTIONARY_FEATURE,
  ENUMERATED_SHAPES,
  FEATURE,
  FEATURE_TYPE,
  IMAGE_FEATURE,
  METADATA,
  SHAPE_RANGE,
  SIZE_RANGE,
} from './schema.ts';

export function writeDescription(writer: FieldWriter, model: MilPackage): void {
  for (const feature of model.inputs) writer.message(DESCRIPTION.input, (inner) => writeFeature(inner, feature));
  for (const feature of model.outputs) writer.message(DESCRIPTION.output, (inner) => writeFeature(inner, feature));
  if (model.predicted !== undefined) {
    writer.string(DESCRIPTION.predictedFeatureName, model.predicted.label);
    writer.string(DESCRIPTION.predictedProbabilitiesName, model.predicted.probabilities);
  }
  const { description, version, author, license } = model.metadata;
  writer.message(DESCRIPTION.metadata, (inner) => {
    if (description !== '') inner.string(METADATA.shortDescription, description);
    if (version !== '') inner.string(METADATA.versionString, version);
    if (author !== '') inner.string(METADATA.author, author);
    if (license !== '') inner.string(METADATA.license, license);
  });
}

function writeFeature(writer: FieldWriter, feature: MilFeature): void {
  writer.string(FEATURE.name, feature.name);
  if (feature.description !== undefined) writer.string(FEATURE.shortDescription, feature.description);
  writer.message(FEATURE.type, (type) => {
    const { image } = feature;
    const { container, dtype } = feature.type;
    if (image !== undefined) type.message(FEATURE_TYPE.image, (inner) => writeImage(inner, image));
    else if (container === 'dictionary') {
      type.message(FEATURE_TYPE.dictionary, (inner) => inner.message(DICTIONARY_FEATURE.stringKey, () => undefined));
    } else if (dtype === 'string') type.message(FEATURE_TYPE.string, () => undefined);
    else type.message(FEATURE_TYPE.multiArray, (inner) => writeArray(inner, feature));
  });
}

function writeArray(writer: FieldWriter, { type, range, enumerated }: MilFeature): void {
  // Of a flexible shape this is the default one: its least sizes, or the first of those that are allowed.
  const shape = type.shape.map((dim, axis) => dim ?? enumerated?.[0]?.[axis] ?? range?.[axis]?.[0] ?? null);
  if (shape.every((dim) => dim !== null)) {
    for (const dim of shape) writer.int64(ARRAY_FEATURE.shape, BigInt(dim));
  }
  writer.uint(
    ARRAY_FEATURE.dataType,
    type.dtype === 'int32' ? ARRAY_TYPE.int32 : type.dtype === 'fp16' ? ARRAY_TYPE.fp16 : ARRAY_TYPE.fp32,
  );
  if (enumerated !== undefined) {
    writer.message(ARRAY_FEATURE.enumeratedShapes, (inner) => {
      for (const sizes of enumerated) {
        inner.message(ENUMERATED_SHAPES.shapes, (one) => {
          for (const dim of sizes) one.int64(ARRAY_SHAPE.shape, BigInt(dim));
        });
      }
    });
    return;
  }
  if (range === undefined) return;
  writer.message(ARRAY_FEATURE.shapeRange, (inner) => {
    for (const [least, most] of range) {
      inner.message(SHAPE_RANGE.sizeRanges, (size) => {
        size.uint(SIZE_RANGE.lowerBound, least);
        size.int64(SIZE_RANGE.upperBound, BigInt(most));
      });
    }
  });
}

function writeImage(writer: FieldWriter, { width, height, color }: ImageFeature): void {
  writer.uint(IMAGE_FEATURE.width, width);
  writer.uint(IMAGE_FEATURE.height, height);
  writer.uint(IMAGE_FEATURE.colorSpace, COLOR_SPACE[color]);
}
