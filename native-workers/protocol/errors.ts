/**
 * The closed catalogue of errors. A code is stable: scripts, reports and screens rely on it. What a code means in words,
 * and what to do next, stands in `error-text.ts`; the message of one error adds the particulars.
 */
import { z } from 'zod';
import { ERROR_TEXT } from './error-text.ts';

export const ERROR_KINDS = ['input', 'unsupported', 'environment', 'resource', 'cancelled', 'internal'] as const;
export type ErrorKind = (typeof ERROR_KINDS)[number];

/** Exit codes of the command line, by kind. A budget or check that failed is 1 and no error; wrong usage is 2. */
const EXIT_CODES: Record<ErrorKind, number> = {
  input: 3,
  unsupported: 3,
  environment: 4,
  resource: 4,
  cancelled: 4,
  internal: 5,
};

/** Every error code with its kind. Adding one: a line here, its words in `error-text.ts`, a test that provokes it. */
export const ERRORS = {
  // The command line and the protocol
  usage: 'input',
  'not-yet': 'unsupported',
  'unknown-run': 'input',
  'unknown-pass': 'input',
  'unknown-preset': 'input',
  'invalid-options': 'input',
  'invalid-recipe': 'input',
  // Files
  'file-missing': 'input',
  'file-unreadable': 'environment',
  'file-empty': 'input',
  'file-not-a-model': 'input',
  'format-unsupported': 'unsupported',
  'file-truncated': 'input',
  'file-corrupt': 'input',
  'external-data-missing': 'input',
  'external-data-outside': 'input',
  'external-data-range': 'input',
  'archive-unsafe': 'input',
  // Graphs
  'graph-cycle': 'input',
  'graph-missing-input': 'input',
  'graph-duplicate-name': 'input',
  'graph-invalid': 'input',
  'tensor-too-large': 'input',
  'tensor-size-mismatch': 'input',
  'artifact-too-large': 'unsupported',
  'opset-unsupported': 'unsupported',
  'operator-unsupported': 'unsupported',
  'model-already-quantized': 'input',
  // Data and evaluation
  'data-missing': 'input',
  'data-empty': 'input',
  'data-unreadable': 'input',
  'data-mismatch': 'input',
  'labels-invalid': 'input',
  'preprocess-invalid': 'input',
  'outputs-not-finite': 'input',
  // Runtimes
  'runtime-missing': 'environment',
  'runtime-rejected-model': 'unsupported',
  'runtime-failed': 'environment',
  'provider-unavailable': 'environment',
  // Passes
  'pass-failed': 'internal',
  'pass-broke-graph': 'internal',
  // Processes
  'worker-crashed': 'environment',
  'worker-out-of-memory': 'resource',
  'worker-hung': 'environment',
  'worker-start-failed': 'environment',
  'protocol-mismatch': 'environment',
  'protocol-violation': 'internal',
  cancelled: 'cancelled',
  // The library of runs
  'disk-full': 'resource',
  'no-permission': 'environment',
  'run-locked': 'environment',
  'run-corrupt': 'input',
  'run-not-resumable': 'input',
  'report-missing': 'input',
  'report-invalid': 'input',
  'report-version': 'unsupported',
  // The studio
  'studio-not-built': 'environment',
  'port-in-use': 'environment',
  'file-not-granted': 'input',
  'engine-unreachable': 'environment',
  internal: 'internal',
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERRORS;

/** Where an error is: a file and byte, or a node or tensor of a graph. */
export const whereSchema = z.strictObject({
  file: z.string().optional(),
  offset: z.number().optional(),
  graph: z.string().optional(),
  node: z.string().optional(),
  tensor: z.string().optional(),
});
export type Where = z.infer<typeof whereSchema>;

/** An error as data: what crosses processes, stands in reports and is printed with `--json`. */
export const errorDataSchema = z.strictObject({
  code: z.enum(Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]]),
  kind: z.enum(ERROR_KINDS),
  message: z.string(),
  where: whereSchema.optional(),
  hint: z.string().optional(),
});
export type ErrorData = z.infer<typeof errorDataSchema>;

export class HoneError extends Error {
  readonly code: ErrorCode;
  readonly where: Where | undefined;

  /** `message` is one plain sentence with the particulars; the code's own words and hint are added when shown. */
  constructor(code: ErrorCode, message: string, options: { where?: Where; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'HoneError';
    this.code = code;
    this.where = options.where;
  }

  get kind(): ErrorKind {
    return ERRORS[this.code];
  }

  toData(): ErrorData {
    return {
      code: this.code,
      kind: this.kind,
      message: this.message,
      ...(this.where === undefined ? {} : { where: this.where }),
      hint: ERROR_TEXT[this.code].next,
    };
  }

  static fromData(data: ErrorData): HoneError {
    return new HoneError(data.code, data.message, data.where === undefined ? {} : { where: data.where });
  }
}

export function exitCodeOf(code: ErrorCode): number {
  return code === 'usage' || code === 'not-yet' ? 2 : EXIT_CODES[ERRORS[code]];
}

type FileSystemCode = 'file-missing' | 'no-permission' | 'disk-full' | 'file-not-a-model';

/** Sentences in place of the system's own ("ENOENT: no such file or directory, open '…'"), which stays as the cause. */
const FILE_SYSTEM_WORDS: Record<FileSystemCode, (path: string) => string> = {
  'file-missing': (path) => `There is nothing at ${path}.`,
  'no-permission': (path) => `The system does not allow it at ${path}.`,
  'disk-full': (path) => `There is no room left on the disk to write ${path}.`,
  'file-not-a-model': (path) => `${path} is a folder, and a file is needed.`,
};

const FILE_SYSTEM_CODES: Record<string, FileSystemCode> = {
  ENOENT: 'file-missing',
  ENOTDIR: 'file-missing',
  EACCES: 'no-permission',
  EPERM: 'no-permission',
  EROFS: 'no-permission',
  ENOSPC: 'disk-full',
  EDQUOT: 'disk-full',
  EISDIR: 'file-not-a-model',
};

/** Any thrown thing as a catalogue error; an unknown one becomes `internal` and keeps its message and cause. */
export function toHoneError(thrown: unknown): HoneError {
  if (thrown instanceof HoneError) return thrown;
  if (thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string') {
    const code = FILE_SYSTEM_CODES[thrown.code];
    const path = 'path' in thrown && typeof thrown.path === 'string' ? thrown.path : undefined;
    if (code !== undefined) {
      return new HoneError(code, FILE_SYSTEM_WORDS[code](path ?? 'a file'), {
        cause: thrown,
        ...(path === undefined ? {} : { where: { file: path } }),
      });
    }
  }
  return new HoneError('internal', thrown instanceof Error ? thrown.message : String(thrown), { cause: thrown });
}
