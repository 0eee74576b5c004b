/** The parts of a Kotlin example that do not depend on the runtime: labels, outputs, pictures, quantized values. */
import type { SignatureValue } from '../target.ts';
import { kotlinString, numberLiteral } from './literals.ts';
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

/** Arrays of Kotlin by element type, and the integers that quantized values are kept in. */
const ARRAYS: Readonly<Record<string, string>> = {
  float32: 'FloatArray',
  float64: 'DoubleArray',
  int8: 'ByteArray',
  uint8: 'ByteArray',
  int16: 'ShortArray',
  int32: 'IntArray',
  int64: 'LongArray',
  bool: 'BooleanArray',
};
const LIMITS: Readonly<Record<string, readonly [number, number, string]>> = {
  int8: [-128, 127, 'Byte'],
  uint8: [0, 255, 'Byte'],
  int16: [-32768, 32767, 'Short'],
};

/** A longer list stands in `labels.txt` alone. */
const MOST_LABELS = 1000;

export function arrayOf({ dtype }: SignatureValue): string {
  return ARRAYS[dtype] ?? 'FloatArray';
}

/** An input of the example, with the code around it. */
export interface KotlinInput {
  readonly value: SignatureValue;
  /** `input0: FloatArray`; a further parameter where the sizes must be told. */
  readonly parameters: readonly string[];
  /** Statements that check and convert what was given. */
  readonly prepare: readonly string[];
  /** The array that the runtime takes. */
  readonly array: string;
  /** The elements of a `LongArray` with the shape, or the array itself where the caller gives it. */
  readonly shape: { readonly sizes: string } | { readonly array: string };
}

export function kotlinInputs(request: SnippetRequest): KotlinInput[] {
  const picture = pictureOf(request);
  return request.signature.inputs.map((value, index) => {
    const given = `input${index}`;
    const extent = extentOf(value);
    const condition = lengthCondition(`${given}.size`, extent);
    if (picture !== null) {
      return {
        value,
        parameters: ['picture: Bitmap'],
        prepare: [`val ${given} = pixels(picture)`],
        array: given,
        shape: { sizes: pictureSizes(picture, value).join(', ') },
      };
    }
    const stored = value.quantization === undefined ? given : `stored${index}`;
    const { quantization } = value;
    return {
      value,
      parameters: [
        `${given}: ${quantization === undefined ? arrayOf(value) : 'FloatArray'}`,
        ...(extent.sizes === null ? [`shape${index}: LongArray`] : []),
      ],
      prepare: [
        ...(condition === null ? [] : [`require(${condition})`]),
        ...(quantization === undefined
          ? []
          : [
              `val ${stored} = quantized${capital(value.dtype)}(${given}, ${numberLiteral(quantization.scale, 'f')}, ${quantization.zeroPoint})`,
            ]),
      ],
      array: stored,
      shape: extent.sizes === null ? { array: `shape${index}` } : { sizes: kotlinSizes(given, extent).join(', ') },
    };
  });
}

function kotlinSizes(given: string, { sizes, count }: Extent): string[] {
  return (sizes ?? []).map((size) => String(size ?? `${given}.size${count > 1 ? ` / ${count}L` : '.toLong()'}`));
}

function capital(text: string): string {
  return `${text[0]?.toUpperCase() ?? ''}${text.slice(1)}`;
}

/** Of an output as the example gives it: real numbers where it is quantized. */
export function outputArray(value: SignatureValue): string {
  return value.quantization === undefined ? arrayOf(value) : 'FloatArray';
}

/** `code` reads an output as the runtime has it. */
export function realOutput(value: SignatureValue, code: string): string {
  const { quantization, dtype } = value;
  if (quantization === undefined) return code;
  return `real${capital(dtype)}(${code}, ${numberLiteral(quantization.scale, 'f')}, ${quantization.zeroPoint})`;
}

export interface KotlinExample {
  readonly request: SnippetRequest;
  readonly inputs: readonly KotlinInput[];
  /** What it runs on, in a comment at its head. */
  readonly about: string;
  /** Classes of the runtime. */
  readonly imports: readonly string[];
  /** Functions of the runtime's own. */
  readonly helpers?: string;
  /** Statements that make a value of `Outputs` of the prepared inputs, indented by four. */
  readonly body: string;
}

export function kotlinExample({ request, inputs, about, imports, helpers, body }: KotlinExample): string {
  const parameters = ['context: Context', ...inputs.flatMap((input) => input.parameters)].join(', ');
  const prepare = inputs.flatMap((input) => input.prepare.map((line) => `    ${line}\n`)).join('');
  return joined([
    about,
    kotlinImports(request, imports),
    kotlinLabels(request),
    kotlinOutputs(request),
    kotlinPixels(request),
    kotlinQuantization(request),
    helpers ?? null,
    `fun run(${parameters}): Outputs {\n${prepare}${body}\n}`,
    kotlinRanking(request),
  ]);
}

function kotlinLabels({ labels }: SnippetRequest): string | null {
  if (labels === null || labels.length > MOST_LABELS) return null;
  return `private val LABELS = listOf(\n${labels.map((label) => `    ${kotlinString(label)},`).join('\n')}\n)`;
}

function kotlinOutputs({ signature }: SnippetRequest): string {
  const fields = signature.outputs.map(
    (value, index) => `    // ${described(value)}\n    val output${index}: ${outputArray(value)},`,
  );
  return `// What the model gives, each flat in the order of its shape.\nclass Outputs(\n${fields.join('\n')}\n)`;
}

/** The classes by score; null where there are no labels, or no output has a score for each. */
function kotlinRanking(request: SnippetRequest): string | null {
  const { labels } = request;
  const scores = scoresOf(request);
  if (labels === null || scores === -1) return null;
  const isLong = labels.length > MOST_LABELS;
  const read = isLong ? 'context.assets.open("labels.txt").bufferedReader().readLines()' : 'LABELS';
  const parameters = isLong ? 'context: Context, outputs: Outputs' : 'outputs: Outputs';
  return `// Classes and their scores, best first.\nfun ranking(${parameters}) =\n    ${read}.zip(outputs.output${scores}.asIterable()).sortedByDescending { it.second }`;
}

/** Conversions between real and stored values, for the integer types that are quantized here. */
function kotlinQuantization(request: SnippetRequest): string | null {
  const { inputs, outputs } = request.signature;
  const types = (values: readonly SignatureValue[]): string[] => [
    ...new Set(values.flatMap(({ dtype, quantization }) => (quantization === undefined ? [] : [dtype]))),
  ];
  const blocks = [
    ...(pictureOf(request) === null ? types(inputs) : []).map((dtype) => {
      const [low, high, type] = LIMITS[dtype] ?? [-128, 127, 'Byte'];
      return `private fun quantized${capital(dtype)}(values: FloatArray, scale: Float, zeroPoint: Int) =\n    ${type}Array(values.size) { (round(values[it] / scale) + zeroPoint).toInt().coerceIn(${low}, ${high}).to${type}() }`;
    }),
    ...types(outputs).map((dtype) => {
      const [, , type] = LIMITS[dtype] ?? [-128, 127, 'Byte'];
      const integer = dtype === 'uint8' ? '(values[it].toInt() and 0xFF)' : 'values[it]';
      return `private fun real${capital(dtype)}(values: ${type}Array, scale: Float, zeroPoint: Int) =\n    FloatArray(values.size) { (${integer} - zeroPoint) * scale }`;
    }),
  ];
  return blocks.length === 0 ? null : blocks.join('\n\n');
}

/** The function that makes an input of a picture, as the data sets of Hone do; null where no picture goes in. */
function kotlinPixels(request: SnippetRequest): string | null {
  const picture = pictureOf(request);
  const [value] = request.signature.inputs;
  if (picture === null || value === undefined) return null;
  const { height, width, fullHeight, fullWidth, resize, channels } = picture;
  const array = arrayOf(value);
  const scales =
    resize === 'stretch'
      ? `    val scaleX = ${fullWidth}f / picture.width\n    val scaleY = ${fullHeight}f / picture.height`
      : `    val scaleX = ${resize === 'shorter' ? 'max' : 'min'}(${fullWidth}f / picture.width, ${fullHeight}f / picture.height)\n    val scaleY = scaleX`;
  const colors = [...new Set(channels.flatMap((color) => (color === 'gray' ? ['red', 'green', 'blue'] : [color])))];
  const gray = channels.includes('gray')
    ? '        val gray = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) shr 16\n'
    : '';
  return `// A picture as the model takes it: ${wayOf(picture)}.
fun pixels(picture: Bitmap): ${array} {
    val seen = Bitmap.createBitmap(${width}, ${height}, Bitmap.Config.ARGB_8888)
${scales}
    val place = Matrix()
    place.postScale(scaleX, scaleY)
    place.postTranslate((${width} - picture.width * scaleX) / 2, (${height} - picture.height * scaleY) / 2)
    Canvas(seen).drawBitmap(picture, place, Paint(Paint.FILTER_BITMAP_FLAG))
    val colors = IntArray(${height * width})
    seen.getPixels(colors, 0, ${width}, 0, 0, ${width}, ${height})
    val values = ${array}(${channels.length * height * width})
    for (pixel in colors.indices) {
${colors.map((color) => `        val ${color} = Color.${color}(colors[pixel])\n`).join('')}${gray}${channels
  .map(
    (color, channel) =>
      `        values[${placeOf(picture, channel)}] = ${normalised(picture, value, color, channel)}\n`,
  )
  .join('')}    }
    return values
}`;
}

function normalised({ scale, mean, std }: Picture, { dtype }: SignatureValue, color: string, channel: number): string {
  const real = `(${color} * ${numberLiteral(scale, 'f')} - ${numberLiteral(mean[channel] ?? 0, 'f')}) / ${numberLiteral(std[channel] ?? 1, 'f')}`;
  const limits = LIMITS[dtype];
  if (limits !== undefined) return `round(${real}).toInt().coerceIn(${limits[0]}, ${limits[1]}).to${limits[2]}()`;
  return dtype === 'float64' ? `(${real}).toDouble()` : real;
}

/** Sorted, without doubles. */
function kotlinImports(request: SnippetRequest, own: readonly string[]): string {
  const hasPicture = pictureOf(request) !== null;
  const pixels = kotlinPixels(request) ?? '';
  const text = pixels + (kotlinQuantization(request) ?? '');
  const names = [
    ...own,
    'android.content.Context',
    ...(hasPicture ? ['Bitmap', 'Canvas', 'Color', 'Matrix', 'Paint'].map((name) => `android.graphics.${name}`) : []),
    ...['max', 'min', 'round'].filter((name) => text.includes(`${name}(`)).map((name) => `kotlin.math.${name}`),
  ];
  return [...new Set(names)]
    .sort()
    .map((name) => `import ${name}`)
    .join('\n');
}
