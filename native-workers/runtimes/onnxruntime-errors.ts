/** ONNX Runtime's error texts as catalogue errors: without its source paths and colours, and with the node they name. */
import { HoneError, type Where } from '../protocol/errors.ts';

/** A session could not be made: `file-missing`, `disk-full`, `provider-unavailable` or `runtime-rejected-model`. */
export function failureOfOpen(thrown: unknown, path: string | null, provider: string): HoneError {
  const message = cleanMessage(textOf(thrown));
  const file = path === null ? {} : { file: path };
  if (/failed\. File doesn't exist|No such file or directory/i.test(message) && path !== null) {
    return new HoneError('file-missing', `The runtime found no file: ${message}`, { where: file, cause: thrown });
  }
  // It writes models in ORT format itself, into folders that were made for it, and says no more than that it could not.
  if (/Failed to save ORT format model/.test(message))
    return new HoneError('disk-full', `The runtime could not write its file: ${message}`, { cause: thrown });
  if (provider !== 'cpu' && provider !== 'wasm' && PROVIDER_FAILURES.test(message)) {
    return new HoneError('provider-unavailable', `The provider ${provider} does not start here: ${message}`, {
      cause: thrown,
    });
  }
  const unsupported = /^Unsupported data type: (\d+)/.exec(message)?.[1];
  const reason =
    unsupported === undefined
      ? message
      : `An input or output has ONNX type ${unsupported}, which the JavaScript interface of the runtime cannot carry.`;
  const where: Where = { ...file, ...nodeOf(message) };
  return new HoneError('runtime-rejected-model', reason, {
    ...(Object.keys(where).length === 0 ? {} : { where }),
    cause: thrown,
  });
}

/** A run failed: `runtime-failed` with the node that did. */
export function failureOfRun(thrown: unknown): HoneError {
  if (thrown instanceof HoneError) return thrown;
  const message = cleanMessage(textOf(thrown));
  const where = nodeOf(message);
  return new HoneError('runtime-failed', message, { ...(where.node === undefined ? {} : { where }), cause: thrown });
}

const PROVIDER_FAILURES =
  /backend not found|no available backend|shared library|WebGPU adapter|WebGPU device|RequestAdapter|RequestDevice|Vulkan|D3D|DML|execution provider|AppendExecutionProvider|CUDA|cuDNN|CoreML/i;

/** The ways in which its loaders, checkers and kernels name a node; each gives the name (1) or the operator and the name. */
const NODE_PATTERNS: readonly { readonly pattern: RegExp; readonly name: number; readonly operator: number }[] = [
  { pattern: /while running (\S+) node\. Name:'([^']*)'/, name: 2, operator: 1 },
  { pattern: /In Node, \("([^"]*)", ([^,]+),/, name: 1, operator: 2 },
  { pattern: /operator \(([^)]*)\) in node \(([^)]*)\)/, name: 2, operator: 1 },
  { pattern: /Node \(([^)]*)\) Op \(([^)]*)\)/, name: 1, operator: 2 },
  { pattern: /implementation for (\S+?)\(\d+\) node with name '([^']*)'/, name: 2, operator: 1 },
  { pattern: /No Op registered for (\S+)/, name: 1, operator: 0 },
  { pattern: /(\S+?)\(-?\d+\) is not a registered function\/op/, name: 1, operator: 0 },
  { pattern: /Node:\s*(\S+)\s/, name: 1, operator: 0 },
];

/** The node that a message names; one without a name goes by its operator. */
export function nodeOf(message: string): { node?: string } {
  for (const { pattern, name, operator } of NODE_PATTERNS) {
    const found = pattern.exec(message);
    if (found === null) continue;
    const node = found[name] || (operator === 0 ? '' : found[operator]);
    if (node) return { node };
  }
  return {};
}

/** `onnxruntime::Status onnxruntime::webgpu::WebGpuContext::Initialize(const Config&)::<lambda()> `: a function of its sources. */
const SOURCE_FUNCTION =
  /(?:(?:static|virtual|void|bool|const|auto) |onnxruntime::[^\s(]+ )*onnxruntime::[^\s(]+\([^)]*\)(?: const)?(?:::<lambda\([^)]*\)>)? /g;

/** One line, without terminal colours, status prefixes, and paths and signatures of the runtime's sources. */
export function cleanMessage(text: string): string {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: terminal colours begin with the escape character.
      .replaceAll(/\u001b\[[0-9;]*m/g, '')
      .replaceAll(/\[ONNXRuntimeError\] : \d+ : \w+ : /g, '')
      .replaceAll(/\/\S*onnxruntime\S*\.(?:cc|h|cpp):\d+ /g, '')
      .replaceAll(SOURCE_FUNCTION, '')
      // The wasm build's: "failed to call OrtRun(). ERROR_CODE: 2, ERROR_MESSAGE: …".
      .replaceAll(/(?:Can't create a session|failed to call \w+\(\))\. ERROR_CODE: \d+, ERROR_MESSAGE: /g, '')
      // The file is in `where`; the runtime's own check says no more than that it failed.
      .replaceAll(/Load model from .*? failed:\s*/g, '')
      .replaceAll(/(?:Fatal error: |This is an invalid model\. )/g, '')
      // A failed assertion of its sources comes before the words for people.
      .replaceAll(/\S+ [=!<>]+ \S+ was false\. /g, '')
      .replaceAll(/\s*\n\s*/g, ' ')
      .trim()
  );
}

function textOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
