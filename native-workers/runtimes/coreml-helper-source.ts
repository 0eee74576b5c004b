/**
 * A small program in Swift that holds one Core ML package and runs it, one JSON line a request and an answer; tensors go by files,
 * raw and little-endian. It is compiled on the Mac that it runs on (`coreml-system-artifact.ts`) and has not been run anywhere
 * else: where there is no Mac, only its grammar was checked.
 */
export const COREML_HELPER = `import CoreML
import Foundation

struct Tensor: Codable {
    let name: String
    let dtype: String
    let shape: [Int]
    let file: String
}
struct Request: Codable {
    let inputs: [Tensor]
    let folder: String
}
struct Reply: Codable {
    var outputs: [Tensor] = []
    var error: String? = nil
}

func read(_ tensor: Tensor) throws -> MLMultiArray {
    let data = try Data(contentsOf: URL(fileURLWithPath: tensor.file))
    let type: MLMultiArrayDataType = tensor.dtype == "int32" ? .int32 : .float32
    let array = try MLMultiArray(shape: tensor.shape.map { NSNumber(value: $0) }, dataType: type)
    data.withUnsafeBytes { bytes in
        if let start = bytes.baseAddress { array.dataPointer.copyMemory(from: start, byteCount: bytes.count) }
    }
    return array
}

/// By element, since the rows of an output may be padded and its type may be float16 or double.
func write(_ array: MLMultiArray, _ name: String, _ file: String) throws -> Tensor {
    let isInteger = array.dataType == .int32
    let data: Data
    if isInteger {
        data = (0..<array.count).map { array[$0].int32Value }.withUnsafeBytes { Data($0) }
    } else {
        data = (0..<array.count).map { array[$0].floatValue }.withUnsafeBytes { Data($0) }
    }
    try data.write(to: URL(fileURLWithPath: file))
    let shape = array.shape.map { $0.intValue }
    return Tensor(name: name, dtype: isInteger ? "int32" : "float32", shape: shape, file: file)
}

func answer(_ line: String, _ model: MLModel) throws -> Reply {
    let request = try JSONDecoder().decode(Request.self, from: Data(line.utf8))
    var features: [String: MLFeatureValue] = [:]
    for tensor in request.inputs { features[tensor.name] = MLFeatureValue(multiArray: try read(tensor)) }
    let result = try model.prediction(from: MLDictionaryFeatureProvider(dictionary: features))
    var reply = Reply()
    for (index, name) in result.featureNames.sorted().enumerated() {
        if let array = result.featureValue(for: name)?.multiArrayValue {
            reply.outputs.append(try write(array, name, request.folder + "/output-" + String(index)))
        }
    }
    return reply
}

func say(_ reply: Reply) {
    let data = (try? JSONEncoder().encode(reply)) ?? Data()
    print(String(decoding: data, as: UTF8.self))
    fflush(stdout)
}

do {
    let compiled = try MLModel.compileModel(at: URL(fileURLWithPath: CommandLine.arguments[1]))
    let model = try MLModel(contentsOf: compiled)
    say(Reply())
    while let line = readLine() {
        do { say(try answer(line, model)) } catch { say(Reply(error: String(describing: error))) }
    }
    try? FileManager.default.removeItem(at: compiled)
} catch {
    say(Reply(error: String(describing: error)))
}
`;
