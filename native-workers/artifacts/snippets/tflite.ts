/** Examples for TFLite files: LiteRT's CompiledModel on Android, the signature runner of TensorFlow Lite in Swift. */
import { kotlinExample, kotlinInputs, realOutput as kotlinReal } from './kotlin.ts';
import { inComment, kotlinString, swiftString } from './literals.ts';
import {
  elementOf,
  SWIFT_ELEMENTS,
  swiftDictionary,
  swiftExample,
  swiftInputs,
  realOutput as swiftReal,
} from './swift.ts';
import { type SnippetRequest, withoutApi } from './values.ts';

/** Methods of LiteRT's TensorBuffer by element type; bytes without a sign go through those of int8. */
const ACCESS: Readonly<Record<string, string>> = {
  float32: 'Float',
  int32: 'Int',
  int64: 'Long',
  int8: 'Int8',
  uint8: 'Int8',
  bool: 'Boolean',
};

/** `Tensor.DataType` of TensorFlowLiteSwift, without which an output cannot be read: int8 is not among them. */
const READABLE: ReadonlySet<string> = new Set(['bool', 'uint8', 'int16', 'int32', 'int64', 'float32', 'float64']);

export function tfliteKotlin(request: SnippetRequest): string {
  const { signature, file, requires } = request;
  const missing = [...signature.inputs, ...signature.outputs].filter(({ dtype }) => ACCESS[dtype] === undefined);
  if (missing.length > 0)
    return withoutApi("LiteRT's CompiledModel", missing, 'Use org.tensorflow.lite.Interpreter with ByteBuffers.');
  const inputs = kotlinInputs(request);
  const buffers = (values: readonly { readonly name: string }[], side: string): string =>
    values
      .map(({ name }) => `\n            ${kotlinString(name)} to model.create${side}Buffer(${kotlinString(name)}),`)
      .join('');
  const writes = inputs.map(
    ({ value, array }) =>
      `            inputs.getValue(${kotlinString(value.name)}).write${ACCESS[value.dtype]}(${array})\n`,
  );
  const reads = signature.outputs.map(
    (value) =>
      `                ${kotlinReal(value, `outputs.getValue(${kotlinString(value.name)}).read${ACCESS[value.dtype]}()`)},`,
  );
  return kotlinExample({
    request,
    inputs,
    about: `// Runs ${inComment(file)}, put into the assets of the app, on LiteRT: implementation("com.google.ai.edge.litert:litert:2.1.0") or newer.\n// Its operators are those of TensorFlow Lite ${requires['TensorFlow Lite'] ?? ''}.`,
    imports: ['Accelerator', 'CompiledModel', 'TensorBuffer'].map((name) => `com.google.ai.edge.litert.${name}`),
    body: `    val options = CompiledModel.Options(Accelerator.CPU)
    return CompiledModel.create(context.assets, ${kotlinString(file)}, options).use { model ->
        val inputs = mapOf<String, TensorBuffer>(${buffers(signature.inputs, 'Input')}
        )
        val outputs = mapOf<String, TensorBuffer>(${buffers(signature.outputs, 'Output')}
        )
        try {
${writes.join('')}            model.run(inputs, outputs)
            Outputs(
${reads.join('\n')}
            )
        } finally {
            (inputs.values + outputs.values).forEach { it.close() }
        }
    }`,
  });
}

export function tfliteSwift(request: SnippetRequest): string {
  const { signature, file, requires } = request;
  const missing = signature.outputs.filter(({ dtype }) => !READABLE.has(dtype));
  if (missing.length > 0)
    return withoutApi(
      'TensorFlowLiteSwift',
      missing,
      'Use TensorFlowLiteObjC, whose TFLTensor has int8, or make the model with float outputs.',
    );
  const inputs = swiftInputs(request);
  const feeds = inputs.map(
    ({ value, array }) => `        ${swiftString(value.name)}: ${array}.withUnsafeBytes { Data($0) },`,
  );
  const results = signature.outputs.map(
    (value, index) =>
      `        output${index}: ${swiftReal(value, `elements(try runner.output(named: ${swiftString(value.name)}).data, ${elementOf(value)}.self)`)}`,
  );
  return swiftExample({
    request,
    inputs,
    about: `// Runs ${inComment(file)}, a resource of the app, on the pod TensorFlowLiteSwift; its operators are those of\n// TensorFlow Lite ${requires['TensorFlow Lite'] ?? ''}.`,
    modules: ['Foundation', 'TensorFlowLite'],
    helpers: [SWIFT_ELEMENTS],
    body: `    let path = Bundle.main.path(forResource: ${swiftString(file)}, ofType: nil)!
    let interpreter = try Interpreter(modelPath: path)
    let runner = try interpreter.signatureRunner(with: "serving_default")
    let inputs: [String: Data] = ${swiftDictionary(feeds)}
    try runner.invoke(with: inputs)
    return Outputs(
${results.join(',\n')}
    )`,
  });
}
