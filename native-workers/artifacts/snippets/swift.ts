/** The parts of a Swift example that do not depend on the runtime: labels, outputs, pictures, quantized values. */
import type { SignatureValue } from '../target.ts';
import { numberLiteral, swiftString } from './literals.ts';
import {
  described,
  type Extent,
  extentOf,
  joined,
  lengthCondition,
  type Picture,
  pictureOf,
  pictureSizes,
  placeOf,
  type SnippetRequest,
  scoresOf,
  wayOf,
} from './values.ts';

const ELEMENTS: Readonly<Record<string, string>> = {
  float32: 'Float',
  float64: 'Double',
  int8: 'Int8',
  uint8: 'UInt8',
  int16: 'Int16',
  int32: 'Int32',
  uint32: 'UInt32',
  int64: 'Int64',
  uint64: 'UInt64',
  bool: 'Bool',
};
const INTEGERS: ReadonlySet<string> = new Set(['int8', 'uint8', 'int16']);

export function elementOf({ dtype }: SignatureValue): string {
  return ELEMENTS[dtype] ?? 'Float';
}

export interface SwiftInput {
  readonly value: SignatureValue;
  readonly parameters: readonly string[];
  readonly prepare: readonly string[];
  /** The array that the runtime takes. */
  readonly array: string;
  /** An expression of type `[Int]`. */
  readonly shape: string;
}

export function swiftInputs(request: SnippetRequest): SwiftInput[] {
  const picture = pictureOf(request);
  return request.signature.inputs.map((value, index) => {
    const given = `input${index}`;
    const extent = extentOf(value);
    const condition = lengthCondition(`${given}.count`, extent);
    if (picture !== null) {
      return {
        value,
        parameters: ['picture: CGImage'],
        prepare: [`let ${given} = pixels(of: picture)`],
        array: given,
        shape: `[${pictureSizes(picture, value).join(', ')}]`,
      };
    }
    const { quantization } = value;
    const element = elementOf(value);
    return {
      value,
      parameters: [
        `${given}: [${quantization === undefined ? element : 'Float'}]`,
        ...(extent.sizes === null ? [`shape${index}: [Int]`] : []),
      ],
      prepare: [
        ...(condition === null ? [] : [`precondition(${condition})`]),
        ...(quantization === undefined
          ? []
          : [
              `let stored${index} = ${given}.map { ${element}(max(Float(${element}.min), min(Float(${element}.max), ($0 / ${numberLiteral(quantization.scale)}).rounded(.toNearestOrEven) + ${numberLiteral(quantization.zeroPoint)}))) }`,
            ]),
      ],
      array: quantization === undefined ? given : `stored${index}`,
      shape: extent.sizes === null ? `shape${index}` : `[${swiftSizes(given, extent).join(', ')}]`,
    };
  });
}

function swiftSizes(given: string, { sizes, count }: Extent): string[] {
  return (sizes ?? []).map((size) => String(size ?? `${given}.count${count > 1 ? ` / ${count}` : ''}`));
}

/** `values` is an array as the runtime has it. */
export function realOutput({ quantization }: SignatureValue, values: string): string {
  if (quantization === undefined) return values;
  return `${values}.map { (Float($0) - ${numberLiteral(quantization.zeroPoint)}) * ${numberLiteral(quantization.scale)} }`;
}

export interface SwiftExample {
  readonly request: SnippetRequest;
  readonly inputs: readonly Pick<SwiftInput, 'parameters' | 'prepare'>[];
  /** What it runs on, in a comment at its head. */
  readonly about: string;
  readonly modules: readonly string[];
  /** The runtime takes pictures as they are. */
  readonly takesPictures?: boolean;
  /** Functions of the runtime's own. */
  readonly helpers?: readonly (string | null)[];
  /** Statements that make a value of `Outputs` of the prepared inputs, indented by four. */
  readonly body: string;
}

export function swiftExample(example: SwiftExample): string {
  const { request, inputs, about, modules, takesPictures = false, helpers = [], body } = example;
  const hasPixels = takesPictures || pictureOf(request) !== null;
  const parameters = inputs.flatMap((input) => input.parameters).join(', ');
  const prepare = inputs.flatMap((input) => input.prepare.map((line) => `    ${line}\n`)).join('');
  return joined([
    about,
    [...modules, ...(hasPixels ? ['CoreGraphics'] : [])]
      .sort()
      .map((module) => `import ${module}`)
      .join('\n'),
    swiftLabels(request),
    swiftOutputs(request),
    takesPictures ? null : swiftPixels(request),
    ...helpers,
    `func run(${parameters}) throws -> Outputs {\n${prepare}${body}\n}`,
    swiftRanking(request),
  ]);
}

/** A literal `[String: TYPE]` of lines that stand in it; empty ones are written `[:]`. */
export function swiftDictionary(lines: readonly string[]): string {
  return lines.length === 0 ? '[:]' : `[\n${lines.join('\n')}\n    ]`;
}

function swiftLabels({ labels }: SnippetRequest): string | null {
  return labels === null
    ? null
    : `let labels: [String] = [\n${labels.map((label) => `    ${swiftString(label)},`).join('\n')}\n]`;
}

function swiftOutputs({ signature }: SnippetRequest): string {
  const fields = signature.outputs.map(
    (value, index) =>
      `    // ${described(value)}\n    let output${index}: [${value.quantization === undefined ? elementOf(value) : 'Float'}]`,
  );
  return `// What the model gives, each flat in the order of its shape.\nstruct Outputs {\n${fields.join('\n')}\n}`;
}

/** The classes by score; null where there are no labels, or no output has a score for each. */
function swiftRanking(request: SnippetRequest): string | null {
  const scores = scoresOf(request);
  const value = request.signature.outputs[scores];
  if (value === undefined) return null;
  const element = value.quantization === undefined ? elementOf(value) : 'Float';
  return `// Classes and their scores, best first.
func ranking(of outputs: Outputs) -> [(label: String, score: ${element})] {
    zip(labels, outputs.output${scores}).map { (label: $0, score: $1) }.sorted { $0.score > $1.score }
}`;
}

/** Reads the elements of a runtime's bytes; for the runtimes that give `Data`. */
export const SWIFT_ELEMENTS = `private func elements<Element>(_ data: Data, _ type: Element.Type) -> [Element] {
    data.withUnsafeBytes { Array($0.bindMemory(to: type)) }
}`;

/** The function that makes an input of a picture, as the data sets of Hone do; null where no picture goes in. */
function swiftPixels(request: SnippetRequest): string | null {
  const picture = pictureOf(request);
  const [value] = request.signature.inputs;
  if (picture === null || value === undefined) return null;
  const { height, width, fullHeight, fullWidth, resize, channels } = picture;
  const element = elementOf(value);
  const scales =
    resize === 'stretch'
      ? `        let scaleX = ${fullWidth} / CGFloat(picture.width)\n        let scaleY = ${fullHeight} / CGFloat(picture.height)`
      : `        let scaleX = ${resize === 'shorter' ? 'max' : 'min'}(${fullWidth} / CGFloat(picture.width), ${fullHeight} / CGFloat(picture.height))\n        let scaleY = scaleX`;
  const colors = ['red', 'green', 'blue'] as const;
  const used = colors.filter((color) => channels.includes(color) || channels.includes('gray'));
  const gray = channels.includes('gray')
    ? '        let gray = (red * 0.299 + green * 0.587 + blue * 0.114).rounded()\n'
    : '';
  return `// A picture as the model takes it: ${wayOf(picture)}.
func pixels(of picture: CGImage) -> [${element}] {
    var colors = [UInt8](repeating: 0, count: ${height * width * 4})
    colors.withUnsafeMutableBytes { bytes in
        let context = CGContext(
            data: bytes.baseAddress, width: ${width}, height: ${height}, bitsPerComponent: 8, bytesPerRow: ${width * 4},
            space: CGColorSpace(name: CGColorSpace.sRGB)!, bitmapInfo: CGImageAlphaInfo.noneSkipLast.rawValue)!
        context.interpolationQuality = .high
${scales}
        let width = CGFloat(picture.width) * scaleX
        let height = CGFloat(picture.height) * scaleY
        context.draw(picture, in: CGRect(x: (${width} - width) / 2, y: (${height} - height) / 2, width: width, height: height))
    }
    var values = [${element}](repeating: 0, count: ${channels.length * height * width})
    for pixel in 0..<${height * width} {
${used.map((color) => `        let ${color} = Float(colors[pixel * 4${colors.indexOf(color) === 0 ? '' : ` + ${colors.indexOf(color)}`}])\n`).join('')}${gray}${channels
  .map(
    (color, channel) =>
      `        values[${placeOf(picture, channel)}] = ${normalised(picture, value, color, channel)}\n`,
  )
  .join('')}    }
    return values
}`;
}

function normalised({ scale, mean, std }: Picture, value: SignatureValue, color: string, channel: number): string {
  const real = `(${color} * ${numberLiteral(scale)} - ${numberLiteral(mean[channel] ?? 0)}) / ${numberLiteral(std[channel] ?? 1)}`;
  const element = elementOf(value);
  if (INTEGERS.has(value.dtype))
    return `${element}(max(Float(${element}.min), min(Float(${element}.max), (${real}).rounded())))`;
  return element === 'Float' ? real : `${element}(${real})`;
}
