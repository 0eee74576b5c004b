/** Words of the new run: the model, the recipe, the data and what is measured. */
import type { InspectFacts } from '../../native-workers/protocol/facts.ts';
import type { PassInfo, TargetInfo } from '../../native-workers/protocol/studio.ts';
import { joinWords } from '../../native-workers/report/format.ts';
import type { RunRequestParams } from '../stores/run-form.ts';
import { plural } from './format.ts';

export const NEW_RUN = {
  title: 'New run',
  tabs: { model: 'Model', recipe: 'Recipe and run' },
  noModel: 'No model yet',
  noModelText:
    'Drop a model on the window, or choose one: ONNX (.onnx), TensorFlow Lite (.tflite) or Keras (.keras, .h5). If an ONNX model has its weights in a file beside it, drop both together.',
  chooseModel: 'Choose a model',
  otherModel: 'Choose another model',
  inspecting: 'Reading the structure of the model',
  sending: 'Sending the model to the engine',
  sent: (done: string, total: string) => `${done} of ${total}`,
  next: 'Choose a recipe',
} as const;

export const MODEL = {
  summary: 'Summary',
  format: 'Format',
  producer: 'Producer',
  unknownProducer: 'not named',
  opsets: 'Operator sets',
  size: 'Size',
  weights: 'of it weights',
  parameters: 'Parameters',
  macs: 'Multiply-accumulates',
  macsUnknown: 'not known: shapes are missing',
  nodes: 'Nodes',
  precision: 'Precision',
  quantized: 'Quantized',
  notQuantized: 'no',
  alreadyQuantized: (how: string | null) => how ?? 'yes',
  externalData: 'Weights file',
  external: 'beside the model',
  internal: 'inside the model',
  inputs: 'Inputs',
  outputs: 'Outputs',
  name: 'Name',
  dtype: 'Type',
  shape: 'Shape',
  operators: 'Operators',
  operatorsDetail: 'Nodes and the weight bytes they read',
  operator: 'Operator',
  bytes: 'Bytes',
  tensors: 'Largest tensors',
  tensor: 'Tensor',
  usedBy: 'Used by',
  share: 'Share of weights',
  duplicate: (of: string) => `same bytes as ${of}`,
  duplicateShort: 'duplicate',
  remedy: (pass: string) => `Add “${pass}” to the recipe`,
  remedyThere: (pass: string) => `“${pass}” is in the recipe`,
  notes: 'Notes',
  noNotes: 'Nothing about this model needs your attention.',
  noTensors: 'The model has no weights.',
  moreOperators: (types: number, nodes: number) => `and ${plural(types, 'more type')} with ${plural(nodes, 'node')}`,
  tensorsShown: (count: number) => plural(count, 'tensor'),
} as const;

export const RECIPE = {
  presets: 'Presets',
  presetsHint: 'A place to start from; every pass can be changed.',
  steps: 'Passes',
  custom: 'Own recipe',
  addPass: 'Add a pass',
  noSteps: 'No passes yet',
  noStepsText: 'Choose a preset on the left, or add passes one by one. They run from top to bottom.',
  families: {
    clean: 'Clean up',
    fuse: 'Fuse',
    prune: 'Prune',
    quantize: 'Quantize',
    lower: 'Lower',
  } satisfies Record<PassInfo['family'], string>,
  lossy: 'lossy',
  lossyTitle: 'The outputs of the model can change beyond rounding.',
  needsMissing:
    'This pass measures on calibration data and none is chosen. Choose some, or see in the report what it did without.',
  noOptions: 'This pass has no options.',
  options: (count: number) => (count === 0 ? 'defaults' : `${plural(count, 'option')} changed`),
  moveUp: (title: string) => `Move ${title} up`,
  moveDown: (title: string) => `Move ${title} down`,
  remove: (title: string) => `Remove ${title}`,
  reset: 'Back to defaults',
  drag: 'Drag to reorder, or use Alt with the arrow keys',
  moved: (title: string, place: number, count: number) => `${title} is now pass ${place} of ${count}.`,
  between: (minimum: number, maximum: number) => `${minimum} to ${maximum}`,
  from: (minimum: number) => `${minimum} or more`,
  upTo: (maximum: number) => `up to ${maximum}`,
  notSet: 'not set',
  json: 'JSON',
  form: 'Form',
  jsonLabel: 'The recipe as JSON',
  apply: 'Apply',
  applied: 'The recipe was taken from the JSON.',
  import: 'Import',
  export: 'Export',
  copy: 'Copy',
  imported: (name: string) => `Imported the recipe ${name}.`,
} as const;

export const DATA = {
  title: 'Data',
  calibration: 'Calibration',
  calibrationHint: 'Typical inputs, without labels: what quantizers measure ranges on.',
  evaluation: 'Evaluation',
  evaluationHint: 'Inputs with labels prove the accuracy; without labels the outputs are compared.',
  none: 'none',
  chooseFile: 'File',
  orPath: 'or a path',
  chooseFolder: 'Folder',
  clear: (what: string) => `Clear ${what}`,
  preview: (what: string) => `Look at ${what}`,
  previewTitle: (name: string) => `What the model will be fed of ${name}`,
  previewing: 'Reading samples',
  previewFound: (kind: string, samples: string, labels: string) => `${kind}, ${samples}, ${labels}`,
  labelled: (classes: number | null) =>
    classes === null ? 'labelled' : `labelled with ${plural(classes, 'class', 'classes')}`,
  notLabelled: 'without labels',
  previewProblem: 'Correct the preprocessing first.',
  applied: 'Preprocessing as it is done',
  skipped: (count: number) => `${plural(count, 'sample')} could not be read`,
  label: 'label',
  sample: 'sample',
  group: 'group',
  table: 'Samples as rows of numbers',
  notANumber: 'not a number',
  stretched: 'contrast stretched',
  unknownToken: 'no token',
  moreTokens: (count: number) => `${plural(count, 'more token')}`,
  filledUp: (count: number) => `filled up with ${plural(count, 'token')} that the mask leaves out`,
  seconds: (seconds: number) => `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`,
  notFinite: (count: number) => `${plural(count, 'element')} not finite`,
  range: (minimum: string, maximum: string, mean: string) => `${minimum} to ${maximum}, mean ${mean}`,
  samples: 'Most samples',
  samplesHint: 'all',
  seed: 'Seed',
  seedHint: 'the same seed gives the same bytes',
  preprocess: 'Preprocessing',
  preprocessHint: 'What is left empty comes from the signature of the model.',
  importPreprocess: 'Fill from preprocess.json',
  preprocessCount: (count: number) => (count === 0 ? 'from the model' : `${plural(count, 'field')} set`),
  height: 'Height',
  width: 'Width',
  resize: 'Resize',
  resizes: { shorter: 'shorter side', stretch: 'stretch', fit: 'fit' },
  crop: 'Centre crop',
  cropHint: 'yes, no, or the share kept (0 to 1)',
  color: 'Colour',
  colors: { rgb: 'RGB', bgr: 'BGR', gray: 'grey' },
  layout: 'Layout',
  layouts: { nchw: 'NCHW', nhwc: 'NHWC' },
  scale: 'Scale',
  scaleHint: 'applied to 0…255 before mean and std; 0.003922 is 1/255',
  mean: 'Mean',
  std: 'Std',
  channelsHint: 'one number per channel, separated by commas',
  tokenizer: 'Tokenizer',
  tokenizerHint: 'a Hugging Face tokenizer.json',
  maxLength: 'Longest text',
  tokens: 'tokens',
  sampleRate: 'Sample rate',
  hertz: 'Hz',
  classNumbers: 'Class numbers of a detector',
  classNumbersHint: 'for labels that are boxes',
  classNumberings: {
    index: 'places from 0',
    'index-from-1': 'places from 1',
    id: 'ids of the annotations',
    'id-from-0': 'ids less one',
  },
  fromModel: 'from the model',
  fromData: 'from the data',
  auto: 'auto',
} as const;

export const MEASURE = {
  title: 'Benchmark',
  provider: 'Providers',
  providerHint: 'cpu',
  threads: 'Threads',
  threadsHint: 'one, or several with commas',
  batch: 'Batch sizes',
  seconds: 'Time for it',
  secondsUnit: 'seconds',
  profile: 'Profile by operator',
  profileHint: 'Where the time goes, and which provider ran each node.',
  sustained: 'Sustained load',
  minutes: 'minutes',
  budgets: 'Budgets',
  budgetsHint: 'The report says whether each is met.',
  maxDrop: 'Largest drop of accuracy',
  points: 'percentage points',
  maxMs: 'Largest median latency',
  ms: 'ms',
  maxMb: 'Largest size',
  mb: 'MB',
  auto: 'auto',
  noLimit: 'no limit',
  off: 'off',
} as const;

export const TARGETS = {
  title: 'Packages for devices',
  detail: 'Made of the result, and each run on its own runtime.',
  check: 'Check coverage',
  checking: 'Checking coverage',
  checkHint: 'What each target can express of the model as it is now; nothing is written.',
  covered: (nodes: number) => `Covers ${nodes === 1 ? 'the one node' : `all ${plural(nodes, 'node')}`}.`,
  uncovered: (missing: number, nodes: number) => `Cannot express ${missing} of ${plural(nodes, 'node')}.`,
  operator: (type: string, nodes: number) => `${type}, ${plural(nodes, 'node')}`,
  moreNodes: (count: number) => `and ${plural(count, 'more node')}`,
  unnamed: 'a node without a name',
  options: (changed: number) => (changed === 0 ? 'Options' : `Options, ${changed} changed`),
  optionsOf: (title: string) => `Options of ${title}`,
  coverageOf: (title: string) => `What ${title} can express`,
  coreAi:
    'Core AI (.aimodel, iOS 27) is made by Apple’s own tools only. Keep the ONNX model for them; a Core ML package loads on earlier systems.',
} as const;

export const RUN_BAR = {
  run: 'Run',
  starting: 'Starting',
  problems: (count: number) => `${plural(count, 'problem')} to correct before it can run`,
} as const;

/** What pressing Run will do, in one sentence. */
export function runSentence(
  request: RunRequestParams,
  evaluation: string | null,
  calibration: string | null,
  targets: readonly TargetInfo[],
): string {
  const { recipe, benchmark, budgets } = request;
  const first = plural(recipe.steps.length, 'pass', 'passes');
  const calibrated = calibration === null ? '' : `, calibrated on ${calibration}`;
  const compared =
    evaluation === null ? 'compares the outputs on seeded inputs' : `compares before and after on ${evaluation}`;
  const providers = benchmark.provider?.join(', ') ?? 'the CPU';
  const time = benchmark.seconds === undefined ? '' : ` for ${benchmark.seconds} s`;
  const limits = Object.keys(budgets).length;
  const checked = limits === 0 ? '' : `, checks ${plural(limits, 'budget')}`;
  const names = (request.targets ?? []).map((id) => targets.find((target) => target.id === id)?.title ?? id);
  const packed = names.length === 0 ? '' : `, packages it for ${joinWords(names)}`;
  return `Applies ${first}${calibrated}, ${compared}, times both on ${providers}${time}${checked}${packed}, and writes the report.`;
}

export function opsetsText(facts: InspectFacts): string {
  return Object.entries(facts.opsets)
    .map(([domain, version]) => `${domain === '' ? 'ai.onnx' : domain} ${version}`)
    .join(', ');
}
