/** Code that runs exactly this artifact: its names, shapes, normalisation and labels, in Swift and in Kotlin. */
import type { Preprocess } from '../protocol/request.ts';
import type { ArtifactSignature, SignatureValue } from './target.ts';

export interface SnippetRequest {
  readonly target: string;
  /** File or folder name of the artifact. */
  readonly file: string;
  readonly signature: ArtifactSignature;
  readonly preprocess: Preprocess | null;
  readonly labels: readonly string[] | null;
}

export interface Snippet {
  readonly file: string;
  readonly text: string;
}

/** One file a language; Kotlin is left out for Core ML, which Android does not have. */
export function snippetsFor(request: SnippetRequest): Snippet[] {
  const { target } = request;
  if (target === 'coreml') return [{ file: 'Example.swift', text: coremlSwift(request) }];
  if (target === 'tflite') {
    return [
      { file: 'Example.swift', text: tfliteSwift(request) },
      { file: 'Example.kt', text: tfliteKotlin(request) },
    ];
  }
  return [
    { file: 'Example.swift', text: ortSwift(request) },
    { file: 'Example.kt', text: ortKotlin(request) },
  ];
}

/** A dimension that the model leaves open is 1 in the examples. */
function sizes(value: SignatureValue): number[] {
  return value.shape.map((dim) => (typeof dim === 'number' ? dim : 1));
}

function count(value: SignatureValue): number {
  return sizes(value).reduce((product, dim) => product * dim, 1);
}

/** A string literal of Swift. */
function quoted(text: string): string {
  return `"${text.replace(/[\\"]/g, '\\$&').replace(/\p{Cc}+/gu, ' ')}"`;
}

/** A string literal of Kotlin, where a dollar sign begins a template. */
function kotlin(text: string): string {
  return quoted(text).replaceAll('$', '\\$');
}

function inputsComment({ signature, preprocess }: SnippetRequest): string {
  const lines = signature.inputs.map(
    (input) => `// Input ${quoted(input.name)}: ${input.dtype} [${input.shape.map((dim) => dim ?? '?').join(', ')}]`,
  );
  if (preprocess !== null) {
    const { scale, mean, std, color, layout, size } = preprocess;
    const parts = [
      size === undefined ? '' : `resize to ${size[0]} x ${size[1]} (height x width)`,
      color === undefined ? '' : `${color} channels`,
      scale === undefined ? '' : `multiply by ${scale}`,
      mean === undefined ? '' : `subtract [${mean.join(', ')}]`,
      std === undefined ? '' : `divide by [${std.join(', ')}]`,
      layout === undefined ? '' : `order ${layout}`,
    ].filter((part) => part !== '');
    if (parts.length > 0) lines.push(`// Prepare each picture: ${parts.join('; ')}.`);
  }
  return lines.join('\n');
}

function labelList(labels: readonly string[], literal: (text: string) => string): string {
  return labels.map(literal).join(', ');
}

function ortSwift(request: SnippetRequest): string {
  const { signature, file, labels } = request;
  const inputs = signature.inputs.map(
    (input, index) => `    var data${index} = ${swiftArray(input)}
    let input${index} = try ORTValue(
        tensorData: NSMutableData(bytes: &data${index}, length: data${index}.count * MemoryLayout.size(ofValue: data${index}[0])),
        elementType: .${ORT_SWIFT[input.dtype] ?? 'float'}, shape: [${sizes(input).join(', ')}])`,
  );
  const feeds = signature.inputs.map((input, index) => `${quoted(input.name)}: input${index}`).join(', ') || ':';
  const names = signature.outputs.map((output) => quoted(output.name)).join(', ');
  return `// Package: onnxruntime-swift-package-manager (OnnxRuntimeBindings).
import Foundation
import OnnxRuntimeBindings

${inputsComment(request)}
func run() throws {
    let environment = try ORTEnv(loggingLevel: .warning)
    let path = Bundle.main.path(forResource: ${quoted(file)}, ofType: nil)!
    let session = try ORTSession(env: environment, modelPath: path, sessionOptions: nil)
${inputs.join('\n')}
    let outputs = try session.run(withInputs: [${feeds}], outputNames: [${names}], runOptions: nil)
${swiftResult(signature.outputs[0], labels, `try outputs[${quoted(signature.outputs[0]?.name ?? '')}]!.tensorData() as Data`)}
}
`;
}

const ORT_SWIFT: Readonly<Record<string, string>> = {
  float32: 'float',
  int8: 'int8',
  uint8: 'uInt8',
  int32: 'int32',
  uint32: 'uInt32',
  int64: 'int64',
  uint64: 'uInt64',
};

const SWIFT_TYPES: Readonly<Record<string, string>> = {
  float32: 'Float',
  float16: 'Float16',
  int8: 'Int8',
  uint8: 'UInt8',
  int16: 'Int16',
  int32: 'Int32',
  uint32: 'UInt32',
  int64: 'Int64',
  uint64: 'UInt64',
  bool: 'Bool',
};

function swiftArray(value: SignatureValue): string {
  const type = SWIFT_TYPES[value.dtype] ?? 'Float';
  return `[${type}](repeating: ${type === 'Bool' ? 'false' : '0'}, count: ${count(value)})`;
}

function swiftResult(output: SignatureValue | undefined, labels: readonly string[] | null, data: string): string {
  const type = SWIFT_TYPES[output?.dtype ?? 'float32'] ?? 'Float';
  const read = `    let values = (${data}).withUnsafeBytes { Array($0.bindMemory(to: ${type}.self)) }`;
  if (labels === null) return `${read}\n    print(values.prefix(10))`;
  return `${read}
    let labels = [${labelList(labels, quoted)}]
    let best = values.indices.max { values[$0] < values[$1] }!
    print(labels[best], values[best])`;
}

function ortKotlin(request: SnippetRequest): string {
  const { signature, file, labels } = request;
  const feeds = signature.inputs.map((input) => {
    const [array, buffer] = KOTLIN_BUFFERS[input.dtype] ?? ['FloatArray', 'FloatBuffer'];
    // Bytes alone do not say which type they are.
    const type = buffer === 'ByteBuffer' ? `, OnnxJavaType.${input.dtype.toUpperCase()}` : '';
    return `        ${kotlin(input.name)} to OnnxTensor.createTensor(environment, ${buffer}.wrap(${array}(${count(input)})), longArrayOf(${sizes(input).join(', ')})${type}),`;
  });
  const shown =
    labels === null
      ? `        println(result[0].value)`
      : `        val scores = (result[0].value as Array<*>)[0] as FloatArray
        val labels = listOf(${labelList(labels, kotlin)})
        val best = scores.indices.maxByOrNull { scores[it] }!!
        println(labels[best] + " " + scores[best])`;
  return `// Package: com.microsoft.onnxruntime:onnxruntime-android.
import ai.onnxruntime.OnnxJavaType
import ai.onnxruntime.OnnxTensor
import ai.onnxruntime.OrtEnvironment
import android.content.Context
import java.nio.*

${inputsComment(request)}
fun run(context: Context) {
    val environment = OrtEnvironment.getEnvironment()
    val bytes = context.assets.open(${kotlin(file)}).readBytes()
    val session = environment.createSession(bytes)
    val inputs = mapOf(
${feeds.join('\n')}
    )
    session.run(inputs).use { result ->
${shown}
    }
}
`;
}

const KOTLIN_BUFFERS: Readonly<Record<string, readonly [string, string]>> = {
  float32: ['FloatArray', 'FloatBuffer'],
  int32: ['IntArray', 'IntBuffer'],
  int64: ['LongArray', 'LongBuffer'],
  int8: ['ByteArray', 'ByteBuffer'],
  uint8: ['ByteArray', 'ByteBuffer'],
};

function tfliteSwift(request: SnippetRequest): string {
  const { signature, file, labels } = request;
  const inputs = signature.inputs.map(
    (input, index) => `    let data${index} = ${swiftArray(input)} // ${input.name}
    try interpreter.copy(data${index}.withUnsafeBufferPointer { Data(buffer: $0) }, toInputAt: ${index})`,
  );
  return `// Package: TensorFlowLiteSwift (LiteRT).
import Foundation
import TensorFlowLite

${inputsComment(request)}
func run() throws {
    let path = Bundle.main.path(forResource: ${quoted(file)}, ofType: nil)!
    let interpreter = try Interpreter(modelPath: path)
    try interpreter.allocateTensors()
${inputs.join('\n')}
    try interpreter.invoke()
${swiftResult(signature.outputs[0], labels, 'try interpreter.output(at: 0).data')}
}
`;
}

/** Methods of LiteRT's TensorBuffer, and the arrays that they take. */
const KOTLIN_ACCESS: Readonly<Record<string, readonly [string, string]>> = {
  float32: ['Float', 'FloatArray'],
  int32: ['Int', 'IntArray'],
  int64: ['Long', 'LongArray'],
  int8: ['Int8', 'ByteArray'],
  uint8: ['Int8', 'ByteArray'],
  bool: ['Boolean', 'BooleanArray'],
};
const KOTLIN_FLOAT = ['Float', 'FloatArray'] as const;

function tfliteKotlin(request: SnippetRequest): string {
  const { signature, file, labels } = request;
  const inputs = signature.inputs.map((input, index) => {
    const [method, array] = KOTLIN_ACCESS[input.dtype] ?? KOTLIN_FLOAT;
    return `        inputs[${index}].write${method}(${array}(${count(input)}))\n`;
  });
  const [read] = KOTLIN_ACCESS[signature.outputs[0]?.dtype ?? 'float32'] ?? KOTLIN_FLOAT;
  const shown =
    labels === null
      ? `        println(outputs[0].read${read}().take(10))`
      : `        val scores = outputs[0].read${read}()
        val labels = listOf(${labelList(labels, kotlin)})
        val best = scores.indices.maxByOrNull { scores[it] }!!
        println(labels[best] + " " + scores[best])`;
  return `// Package: com.google.ai.edge.litert:litert.
import android.content.Context
import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.CompiledModel

${inputsComment(request)}
fun run(context: Context) {
    val options = CompiledModel.Options(Accelerator.CPU)
    CompiledModel.create(context.assets, ${kotlin(file)}, options).use { model ->
        val inputs = model.createInputBuffers()
        val outputs = model.createOutputBuffers()
${inputs.join('')}        model.run(inputs, outputs)
${shown}
    }
}
`;
}

function coremlSwift(request: SnippetRequest): string {
  const { signature, file, labels } = request;
  const inputs = signature.inputs.map(
    (input, index) =>
      `    let input${index} = try MLMultiArray(shape: [${sizes(input).join(', ')}], dataType: .${input.dtype === 'int32' ? 'int32' : 'float32'})`,
  );
  const feeds = signature.inputs
    .map((input, index) => `${quoted(input.name)}: MLFeatureValue(multiArray: input${index})`)
    .join(', ');
  const dictionary = feeds === '' ? ':' : feeds;
  const output = quoted(signature.outputs[0]?.name ?? '');
  const shown =
    labels === null
      ? `    print(result.featureValue(for: ${output})!.multiArrayValue!)`
      : `    let scores = result.featureValue(for: ${output})!.multiArrayValue!
    let labels = [${labelList(labels, quoted)}]
    let best = (0..<scores.count).max { scores[$0].floatValue < scores[$1].floatValue }!
    print(labels[best], scores[best])`;
  return `import CoreML
import Foundation

${inputsComment(request)}
func run() async throws {
    let package = Bundle.main.url(forResource: ${quoted(file)}, withExtension: nil)!
    let model = try MLModel(contentsOf: try await MLModel.compileModel(at: package))
${inputs.join('\n')}
    let features = try MLDictionaryFeatureProvider(dictionary: [${dictionary}])
    let result = try await model.prediction(from: features)
${shown}
}
`;
}
