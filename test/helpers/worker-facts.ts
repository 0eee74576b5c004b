/** Facts that the test worker gives. */
import type { InspectFacts } from '../../native-workers/protocol/facts.ts';

export const INSPECT_FACTS: InspectFacts = {
  format: 'onnx',
  producer: 'test',
  opsets: { '': 21 },
  irVersion: 10,
  inputs: [],
  outputs: [],
  nodes: 1,
  operators: { Relu: 1 },
  parameters: 0,
  bytes: { total: 1, weights: 0 },
  macs: null,
  precision: {},
  quantized: false,
  quantization: null,
  externalData: false,
  notes: [],
  tensors: [],
  bytesByOperator: {},
};
