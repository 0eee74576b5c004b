import { describe, expect, it } from 'vitest';
import type { OrtOperator } from '../../../../native-workers/formats/ort/operators.ts';
import { operatorsConfig } from '../../../../native-workers/formats/ort/operators-config.ts';

function operator(
  type: string,
  inputs: string[],
  outputs: string[] = [],
  version = 13,
  domain = 'ai.onnx',
): OrtOperator {
  const sides = (types: string[]): Map<number, Set<string>> =>
    new Map(types.map((each, position) => [position, new Set([each])] as const));
  return { domain, sinceVersion: version, type, inputs: sides(inputs), outputs: sides(outputs) };
}

const HEADER = '# Operators that the models of this package need. For build.py --include_ops_by_config.\n';

describe('operatorsConfig', () => {
  const operators = [
    operator('Relu', ['float'], ['float'], 14),
    operator('Cast', ['int64_t'], ['float']),
    operator('Add', ['float', 'float'], ['float'], 14),
    operator('FusedConv', ['float', 'float'], ['float'], 1, 'com.microsoft'),
  ];

  it('writes a sorted line a domain and version', () => {
    expect(operatorsConfig(operators, false)).toBe(
      `${HEADER}ai.onnx;13;Cast\nai.onnx;14;Add,Relu\ncom.microsoft;1;FusedConv\n`,
    );
  });

  it('writes the types that each kernel is cut down by', () => {
    const list = [
      ...operators,
      operator('Gather', ['float', 'int64_t'], ['float']),
      operator('OneHot', ['int64_t', 'int32_t', 'float'], ['float'], 11),
      operator('QuantizeLinear', ['float', 'float', 'uint8_t'], ['uint8_t']),
      operator('Reshape', ['float', 'int64_t'], ['float'], 14),
    ];
    expect(operatorsConfig(list, true)).toBe(
      `${HEADER}ai.onnx;11;OneHot{"custom":[["int64_t","float","int32_t"]]}\n` +
        'ai.onnx;13;Cast{"inputs":{"0":["int64_t"]},"outputs":{"0":["float"]}},' +
        'Gather{"inputs":{"0":["float"],"1":["int64_t"]}},QuantizeLinear{"outputs":{"0":["uint8_t"]}}\n' +
        'ai.onnx;14;Add{"inputs":{"0":["float"]}},Relu{"inputs":{"0":["float"]}},Reshape\n' +
        'com.microsoft;1;FusedConv\n',
    );
  });

  it('joins the types of all models and keeps versions apart', () => {
    const other = [operator('Add', ['int64_t'], ['int64_t'], 14), operator('Add', ['float'], ['float'], 7)];
    expect(operatorsConfig([...operators, ...other], true)).toContain(
      'ai.onnx;14;Add{"inputs":{"0":["float","int64_t"]}},Relu',
    );
    expect(operatorsConfig([...operators, ...other], false)).toContain('ai.onnx;7;Add\n');
  });

  it('leaves types out where the file tells none', () => {
    expect(operatorsConfig([operator('Add', [])], true)).toBe(`${HEADER}ai.onnx;13;Add\n`);
  });
});
