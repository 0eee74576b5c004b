/**
 * Field numbers and codes of ONNX files. Source: github.com/onnx/onnx, `onnx/onnx.proto`, release 1.20 (IR version 13);
 * numbers never change between versions, fields are only added.
 */

export const MODEL = {
  irVersion: 1,
  producerName: 2,
  producerVersion: 3,
  domain: 4,
  modelVersion: 5,
  docString: 6,
  graph: 7,
  opsetImport: 8,
  metadata: 14,
  trainingInfo: 20,
  functions: 25,
  configuration: 26,
} as const;

export const GRAPH = {
  node: 1,
  name: 2,
  initializer: 5,
  docString: 10,
  input: 11,
  output: 12,
  valueInfo: 13,
  quantizationAnnotation: 14,
  sparseInitializer: 15,
  metadata: 16,
} as const;

export const NODE = {
  input: 1,
  output: 2,
  name: 3,
  opType: 4,
  attribute: 5,
  docString: 6,
  domain: 7,
  overload: 8,
  metadata: 9,
  deviceConfigurations: 10,
} as const;

export const ATTRIBUTE = {
  name: 1,
  f: 2,
  i: 3,
  s: 4,
  t: 5,
  g: 6,
  floats: 7,
  ints: 8,
  strings: 9,
  tensors: 10,
  graphs: 11,
  docString: 13,
  tp: 14,
  typeProtos: 15,
  type: 20,
  refAttrName: 21,
  sparseTensor: 22,
  sparseTensors: 23,
} as const;

/** `AttributeProto.AttributeType`. */
export const ATTRIBUTE_TYPE = {
  undefined: 0,
  float: 1,
  int: 2,
  string: 3,
  tensor: 4,
  graph: 5,
  floats: 6,
  ints: 7,
  strings: 8,
  tensors: 9,
  graphs: 10,
  sparseTensor: 11,
  sparseTensors: 12,
  type: 13,
  types: 14,
} as const;

export const VALUE_INFO = { name: 1, type: 2, docString: 3, metadata: 4 } as const;

export const TENSOR = {
  dims: 1,
  dataType: 2,
  segment: 3,
  floatData: 4,
  int32Data: 5,
  stringData: 6,
  int64Data: 7,
  name: 8,
  rawData: 9,
  doubleData: 10,
  uint64Data: 11,
  docString: 12,
  externalData: 13,
  dataLocation: 14,
  metadata: 16,
} as const;

/** `TensorProto.DataLocation`. */
export const EXTERNAL = 1;

export const SPARSE_TENSOR = { values: 1, indices: 2, dims: 3 } as const;

export const TYPE = {
  tensor: 1,
  sequence: 4,
  map: 5,
  denotation: 6,
  opaque: 7,
  sparse: 8,
  optional: 9,
} as const;

/** `TypeProto.Tensor` and `TypeProto.SparseTensor`. */
export const TENSOR_TYPE = { elementType: 1, shape: 2 } as const;
/** `TypeProto.Sequence` and `TypeProto.Optional`. */
export const ELEMENT_TYPE = { elementType: 1 } as const;
export const MAP_TYPE = { keyType: 1, valueType: 2 } as const;
export const SHAPE = { dim: 1 } as const;
export const DIM = { value: 1, param: 2, denotation: 3 } as const;
export const OPERATOR_SET = { domain: 1, version: 2 } as const;
/** `StringStringEntryProto`: metadata, and the description of external data. */
export const ENTRY = { key: 1, value: 2 } as const;

export const FUNCTION = {
  name: 1,
  input: 4,
  output: 5,
  attribute: 6,
  node: 7,
  docString: 8,
  opsetImport: 9,
  domain: 10,
  attributeProto: 11,
  valueInfo: 12,
  overload: 13,
  metadata: 14,
} as const;
