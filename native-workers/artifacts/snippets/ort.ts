/** Examples for ONNX Runtime: its Java API on Android, its Objective-C API from Swift. */
import type { SignatureValue } from '../target.ts';
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

/** ONNX Runtime's Java API by element type: the buffer, and the type that bytes alone do not tell. */
const BUFFERS: Readonly<Record<string, readonly [buffer: string, type: string | null, read: string, array: string]>> = {
  float32: ['FloatBuffer', null, 'floats', 'FloatArray'],
  float64: ['DoubleBuffer', null, 'doubles', 'DoubleArray'],
  int16: ['ShortBuffer', null, 'shorts', 'ShortArray'],
  int32: ['IntBuffer', null, 'ints', 'IntArray'],
  int64: ['LongBuffer', null, 'longs', 'LongArray'],
  int8: ['ByteBuffer', 'INT8', 'bytes', 'ByteArray'],
  uint8: ['ByteBuffer', 'UINT8', 'bytes', 'ByteArray'],
  bool: ['ByteBuffer', 'BOOL', 'booleans', 'BooleanArray'],
};

/** `ORTTensorElementDataType` of the Objective-C API, which has no others. */
const SWIFT_TYPES: Readonly<Record<string, string>> = {
  float32: 'float',
  int8: 'int8',
  uint8: 'uInt8',
  int32: 'int32',
  uint32: 'uInt32',
  int64: 'int64',
  uint64: 'uInt64',
};

export function ortKotlin(request: SnippetRequest): string {
  const { signature, file, requires } = request;
  const all = [...signature.inputs, ...signature.outputs];
  const missing = all.filter(({ dtype }) => BUFFERS[dtype] === undefined);
  if (missing.length > 0)
    return withoutApi('This example', missing, 'See OnnxTensor in the Java API of ONNX Runtime for what it has.');
  const inputs = kotlinInputs(request);
  const feeds = inputs.map(
    ({ value, array, shape }) =>
      `            ${kotlinString(value.name)} to OnnxTensor.createTensor(environment, ${kotlinBuffer(value, array)}, ${'array' in shape ? shape.array : `longArrayOf(${shape.sizes})`}${BUFFERS[value.dtype]?.[1] === null ? '' : `, OnnxJavaType.${BUFFERS[value.dtype]?.[1]}`}),`,
  );
  const results = signature.outputs.map(
    (value, index) => `                    ${kotlinReal(value, `${BUFFERS[value.dtype]?.[2]}(result[${index}])`)},`,
  );
  const classes = ['OnnxTensor', 'OnnxValue', 'OrtEnvironment'];
  if (signature.inputs.some(({ dtype }) => BUFFERS[dtype]?.[1] !== null)) classes.push('OnnxJavaType');
  return kotlinExample({
    request,
    inputs,
    about: `// Runs ${inComment(file)}, put into the assets of the app, on ONNX Runtime ${requires['ONNX Runtime'] ?? ''} or newer:\n// implementation("com.microsoft.onnxruntime:onnxruntime-android:VERSION"), or a build with required_operators.config.`,
    imports: [
      ...classes.map((name) => `ai.onnxruntime.${name}`),
      ...signature.inputs.map(({ dtype }) => `java.nio.${BUFFERS[dtype]?.[0]}`),
    ],
    helpers: kotlinReaders(signature.outputs),
    body: `    val environment = OrtEnvironment.getEnvironment()
    val model = context.assets.open(${kotlinString(file)}).use { it.readBytes() }
    environment.createSession(model).use { session ->
        val inputs = mapOf<String, OnnxTensor>(
${feeds.join('\n')}
        )
        try {
            session.run(inputs).use { result ->
                return Outputs(
${results.join('\n')}
                )
            }
        } finally {
            inputs.values.forEach { it.close() }
        }
    }`,
  });
}

function kotlinBuffer({ dtype }: SignatureValue, array: string): string {
  const [buffer] = BUFFERS[dtype] ?? ['FloatBuffer'];
  return dtype === 'bool'
    ? `ByteBuffer.wrap(ByteArray(${array}.size) { if (${array}[it]) 1 else 0 })`
    : `${buffer}.wrap(${array})`;
}

function kotlinReaders(outputs: readonly SignatureValue[]): string {
  const readers = new Map(
    outputs.map(({ dtype }) => {
      const [buffer, , read, array] = BUFFERS[dtype] ?? ['FloatBuffer', null, 'floats', 'FloatArray'];
      const property = `${buffer[0]?.toLowerCase()}${buffer.slice(1)}`;
      const body =
        dtype === 'bool'
          ? 'BooleanArray(buffer.remaining()) { buffer.get(it) != 0.toByte() }'
          : `${array}(buffer.remaining()).also { buffer.get(it) }`;
      return [
        read,
        `private fun ${read}(value: OnnxValue): ${array} {\n    val buffer = (value as OnnxTensor).${property}\n    return ${body}\n}`,
      ];
    }),
  );
  return [...readers.values()].join('\n\n');
}

export function ortSwift(request: SnippetRequest): string {
  const { signature, file, requires } = request;
  const missing = [...signature.inputs, ...signature.outputs].filter(({ dtype }) => SWIFT_TYPES[dtype] === undefined);
  if (missing.length > 0)
    return withoutApi(
      'The Objective-C API of ONNX Runtime',
      missing,
      'Use its C API, or a model with other types at its ends.',
    );
  const inputs = swiftInputs(request);
  const feeds = inputs.map(
    ({ value, array, shape }) =>
      `        ${swiftString(value.name)}: try tensor(${array}, .${SWIFT_TYPES[value.dtype]}, ${shape}),`,
  );
  const results = signature.outputs.map(
    (value, index) =>
      `        output${index}: ${swiftReal(value, `elements(try results[${swiftString(value.name)}]!.tensorData() as Data, ${elementOf(value)}.self)`)}`,
  );
  const names = signature.outputs.map(({ name }) => swiftString(name)).join(', ');
  const tensor = `private func tensor<Element>(_ values: [Element], _ type: ORTTensorElementDataType, _ shape: [Int]) throws -> ORTValue {
    let data = values.withUnsafeBytes { NSMutableData(bytes: $0.baseAddress, length: $0.count) }
    return try ORTValue(tensorData: data, elementType: type, shape: shape.map { NSNumber(value: $0) })
}`;
  return swiftExample({
    request,
    inputs,
    about: `// Runs ${inComment(file)}, a resource of the app, on ONNX Runtime ${requires['ONNX Runtime'] ?? ''} or newer: the Swift package\n// onnxruntime-swift-package-manager of Microsoft, or a build with required_operators.config.`,
    modules: ['Foundation', 'OnnxRuntimeBindings'],
    helpers: [inputs.length === 0 ? null : tensor, SWIFT_ELEMENTS],
    body: `    let environment = try ORTEnv(loggingLevel: .warning)
    let path = Bundle.main.path(forResource: ${swiftString(file)}, ofType: nil)!
    let session = try ORTSession(env: environment, modelPath: path, sessionOptions: nil)
    let inputs: [String: ORTValue] = ${swiftDictionary(feeds)}
    let results = try session.run(withInputs: inputs, outputNames: [${names}], runOptions: nil)
    return Outputs(
${results.join(',\n')}
    )`,
  });
}
