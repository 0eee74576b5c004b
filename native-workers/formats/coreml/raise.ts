/** An ML Program as an ONNX model, for running it where there is no Core ML. */
import { Model } from '../../graph/model.ts';
import { tensorType } from '../../graph/types.ts';
import { HoneError } from '../../protocol/errors.ts';
import type { MilFunction } from './program.ts';
import { OPERATORS } from './raise/operators.ts';
import { Call, onnxDType, Raising } from './raise/raising.ts';

const OPSET = 21;
const IR_VERSION = 10;

/**
 * Outputs have the names of the program's; those of `classify`, a text and a dictionary, are left out. Throws
 * `operator-unsupported` for an operation that has no line in the tables.
 */
export function raise(main: MilFunction): Model {
  const raising = new Raising();
  for (const input of main.inputs) raising.input(input);
  for (const operation of main.operations) {
    if (operation.type === 'classify') continue;
    const raiser = OPERATORS[operation.type];
    if (raiser === undefined) {
      throw new HoneError('operator-unsupported', `The MIL operation ${operation.type} is not read.`, {
        where: { node: operation.outputs[0]?.name ?? operation.type },
      });
    }
    const made = raiser(new Call(raising, operation));
    const values = Array.isArray(made) ? made : [made];
    operation.outputs.forEach((output, index) => {
      const value = values[index];
      if (value === undefined) throw new HoneError('file-corrupt', `${operation.type} has no output ${index}.`);
      raising.bind(output, value);
    });
  }
  const { graph } = raising;
  for (const output of main.outputs) {
    if (output.type.container !== undefined || output.type.dtype === 'string') continue;
    const result = graph.createValue(output.name, tensorType(onnxDType(output.type.dtype), output.type.shape));
    graph.addNode({ opType: 'Identity', inputs: [raising.value(output)], outputs: [result] });
    graph.outputs.push(result);
  }
  const model = new Model(graph, OPSET, IR_VERSION);
  return model;
}
