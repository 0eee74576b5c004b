/** An example for Core ML in Swift. Xcode compiles the package of a target into a folder that ends in `.mlmodelc`. */
import { inComment, swiftString } from './literals.ts';
import { elementOf, swiftInputs, swiftLabels, swiftOutputs, swiftPixels, swiftRanking } from './swift.ts';
import { joined, pictureOf, type SnippetRequest } from './values.ts';

export function coremlSwift(request: SnippetRequest): string {
  const { signature, file, requires } = request;
  const name = file.replace(/\.mlpackage$/, '');
  const isImage = signature.inputs.some(({ isPicture }) => isPicture === true);
  const inputs = swiftInputs(isImage ? { ...request, preprocess: null } : request).map((input, index) =>
    input.value.isPicture === true
      ? { ...input, parameters: [`picture${index}: CGImage`], prepare: [], feature: picture(input.value.name, index) }
      : {
          ...input,
          feature: `MLFeatureValue(multiArray: MLMultiArray(MLShapedArray<${elementOf(input.value)}>(scalars: ${input.array}, shape: ${input.shape})))`,
        },
  );
  const feeds = inputs.map(({ value, feature }) => `        ${swiftString(value.name)}: ${feature},`);
  const results = signature.outputs.map(
    (value, index) =>
      `        output${index}: MLShapedArray<${elementOf(value)}>(result.featureValue(for: ${swiftString(value.name)})!.multiArrayValue!).scalars`,
  );
  const modules = ['CoreML', 'Foundation'];
  if (isImage) modules.push('Vision');
  if (isImage || pictureOf(request) !== null) modules.push('CoreGraphics');
  return joined([
    `// Runs ${inComment(file)}, added to the target in Xcode, on iOS ${requires['iOS'] ?? ''} or newer.`,
    modules
      .sort()
      .map((module) => `import ${module}`)
      .join('\n'),
    swiftLabels(request),
    swiftOutputs(request),
    isImage ? null : swiftPixels(request),
    `func run(${inputs.flatMap(({ parameters }) => parameters).join(', ')}) throws -> Outputs {
${inputs.flatMap(({ prepare }) => prepare.map((line) => `    ${line}\n`)).join('')}    let compiled = Bundle.main.url(forResource: ${swiftString(name)}, withExtension: "mlmodelc")!
    let model = try MLModel(contentsOf: compiled)
    let inputs: [String: MLFeatureValue] = [${feeds.length === 0 ? ':' : `\n${feeds.join('\n')}\n    `}]
    let result = try model.prediction(from: MLDictionaryFeatureProvider(dictionary: inputs))
    return Outputs(
${results.join(',\n')}
    )
}`,
    swiftRanking(request),
  ]);
}

/** Core ML resizes a picture to what the model takes; scale and bias are inside the model. */
function picture(name: string, index: number): string {
  return `try MLFeatureValue(
            cgImage: picture${index}, constraint: model.modelDescription.inputDescriptionsByName[${swiftString(name)}]!.imageConstraint!,
            options: [.cropAndScale: VNImageCropAndScaleOption.centerCrop.rawValue])`;
}
