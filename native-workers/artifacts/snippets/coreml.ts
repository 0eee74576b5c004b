/** An example for Core ML in Swift. Xcode compiles the package of a target into a folder that ends in `.mlmodelc`. */
import { inComment, swiftString } from './literals.ts';
import { elementOf, swiftDictionary, swiftExample, swiftInputs } from './swift.ts';
import type { SnippetRequest } from './values.ts';

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
  return swiftExample({
    request,
    inputs,
    about: `// Runs ${inComment(file)}, added to the target in Xcode, on iOS ${requires['iOS'] ?? ''} or newer.`,
    modules: ['CoreML', 'Foundation', ...(isImage ? ['Vision'] : [])],
    takesPictures: isImage,
    body: `    let compiled = Bundle.main.url(forResource: ${swiftString(name)}, withExtension: "mlmodelc")!
    let model = try MLModel(contentsOf: compiled)
    let inputs: [String: MLFeatureValue] = ${swiftDictionary(feeds)}
    let result = try model.prediction(from: MLDictionaryFeatureProvider(dictionary: inputs))
    return Outputs(
${results.join(',\n')}
    )`,
  });
}

/** Core ML resizes a picture to what the model takes; scale and bias are inside the model. */
function picture(name: string, index: number): string {
  return `try MLFeatureValue(
            cgImage: picture${index}, constraint: model.modelDescription.inputDescriptionsByName[${swiftString(name)}]!.imageConstraint!,
            options: [.cropAndScale: VNImageCropAndScaleOption.centerCrop.rawValue])`;
}
