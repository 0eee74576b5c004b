/**
 * Field numbers and codes of Core ML's model file and of MIL, the language of ML Programs in it.
 * Source: coremltools, mlmodel/format/Model.proto, FeatureTypes.proto and MIL.proto (conversion.md sections 2.2 and 2.3).
 */

export const MODEL = { specificationVersion: 1, description: 2, mlProgram: 502 } as const;
export const DESCRIPTION = {
  input: 1,
  output: 10,
  predictedFeatureName: 11,
  predictedProbabilitiesName: 12,
  metadata: 100,
} as const;
export const FEATURE = { name: 1, shortDescription: 2, type: 3 } as const;
export const METADATA = { shortDescription: 1, versionString: 2, author: 3, license: 4, userDefined: 100 } as const;
export const FEATURE_TYPE = { int64: 1, string: 3, image: 4, multiArray: 5, dictionary: 6 } as const;
export const DICTIONARY_FEATURE = { int64Key: 1, stringKey: 2 } as const;
export const ARRAY_FEATURE = { shape: 1, dataType: 2, enumeratedShapes: 21, shapeRange: 31 } as const;
export const ENUMERATED_SHAPES = { shapes: 1 } as const;
export const ARRAY_SHAPE = { shape: 1 } as const;
export const SHAPE_RANGE = { sizeRanges: 1 } as const;
export const SIZE_RANGE = { lowerBound: 1, upperBound: 2 } as const;
export const IMAGE_FEATURE = { width: 1, height: 2, colorSpace: 3 } as const;
export const COLOR_SPACE = { gray: 10, rgb: 20, bgr: 30 } as const;
export const ARRAY_TYPE = { fp32: 65568, int32: 131104, fp16: 65552 } as const;

export const PROGRAM = { version: 1, functions: 2 } as const;
/** Every protobuf map is a list of such entries. */
export const MAP_ENTRY = { key: 1, value: 2 } as const;
export const FUNCTION = { inputs: 1, opset: 2, blockSpecializations: 3 } as const;
export const BLOCK = { inputs: 1, outputs: 2, operations: 3 } as const;
export const OPERATION = { type: 1, inputs: 2, outputs: 3, blocks: 4, attributes: 5 } as const;
export const ARGUMENT = { arguments: 1 } as const;
export const BINDING = { name: 1, value: 2 } as const;
export const NAMED_TYPE = { name: 1, type: 2 } as const;
export const VALUE_TYPE = { tensor: 1, list: 2, tuple: 3, dictionary: 4 } as const;
export const LIST_TYPE = { type: 1, length: 2 } as const;
export const DICTIONARY_TYPE = { key: 1, value: 2 } as const;
export const TENSOR_TYPE = { dataType: 1, rank: 2, dimensions: 3 } as const;
export const DIMENSION = { constant: 1, unknown: 2 } as const;
export const CONSTANT_DIMENSION = { size: 1 } as const;
export const UNKNOWN_DIMENSION = { variadic: 1 } as const;
export const VALUE = { type: 2, immediate: 3, blobFile: 5 } as const;
export const IMMEDIATE = { tensor: 1, list: 3 } as const;
export const BLOB_FILE = { fileName: 1, offset: 2 } as const;
export const TENSOR_VALUE = { floats: 1, ints: 2, bools: 3, strings: 4, longInts: 5, bytes: 7 } as const;
/** `RepeatedFloats` and the like, and `ListValue`. */
export const REPEATED = { values: 1 } as const;

/** Where blobs are, as the model file names it. */
export const WEIGHTS_PATH = '@model_path/weights/weight.bin';

interface MilDTypeFacts {
  /** `MILSpec.DataType`. */
  readonly code: number;
  readonly bits: number;
  /** In `weight.bin`; null for what is never put there. Source: coremltools, MILBlob/Blob/StorageFormat.hpp. */
  readonly blob: number | null;
}

export const MIL_DTYPES = {
  bool: { code: 1, bits: 8, blob: null },
  string: { code: 2, bits: 0, blob: null },
  fp16: { code: 10, bits: 16, blob: 1 },
  fp32: { code: 11, bits: 32, blob: 2 },
  fp64: { code: 12, bits: 64, blob: null },
  int8: { code: 21, bits: 8, blob: 4 },
  int16: { code: 22, bits: 16, blob: 6 },
  int32: { code: 23, bits: 32, blob: 14 },
  int64: { code: 24, bits: 64, blob: null },
  int4: { code: 25, bits: 4, blob: 8 },
  uint8: { code: 31, bits: 8, blob: 3 },
  uint16: { code: 32, bits: 16, blob: 7 },
  uint32: { code: 33, bits: 32, blob: 15 },
  uint4: { code: 35, bits: 4, blob: 11 },
  uint2: { code: 36, bits: 2, blob: 10 },
  uint1: { code: 37, bits: 1, blob: 9 },
  uint6: { code: 38, bits: 6, blob: 13 },
  uint3: { code: 39, bits: 3, blob: 12 },
} as const satisfies Record<string, MilDTypeFacts>;

export type MilDType = keyof typeof MIL_DTYPES;

const BY_CODE = new Map<number, MilDType>(
  (Object.entries(MIL_DTYPES) as [MilDType, MilDTypeFacts][]).map(([name, { code }]) => [code, name]),
);

export function milDTypeFromCode(code: number): MilDType | null {
  return BY_CODE.get(code) ?? null;
}

/** Operating systems by the operator set that they bring, with the version of the model file. conversion.md section 2.2. */
export const TARGETS = {
  iOS15: { number: 15, macOS: 12, specification: 6, opset: 'CoreML5' },
  iOS16: { number: 16, macOS: 13, specification: 7, opset: 'CoreML6' },
  iOS17: { number: 17, macOS: 14, specification: 8, opset: 'CoreML7' },
  iOS18: { number: 18, macOS: 15, specification: 9, opset: 'CoreML8' },
  iOS26: { number: 26, macOS: 26, specification: 10, opset: 'CoreML9' },
} as const;

export type Target = keyof typeof TARGETS;

/** At run time a tensor has no more dimensions than that. */
export const MOST_DIMENSIONS = 5;
