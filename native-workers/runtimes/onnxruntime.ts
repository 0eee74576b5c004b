/**
 * ONNX Runtime's Node binding behind the `Engine` interface. Everything native goes through here: loading the addon, session
 * options, tensors both ways, and its errors as catalogue errors that name the node.
 *
 * Measured on onnxruntime-node 1.30 and Node 24: a run blocks the thread (`run` is one `setImmediate` and a synchronous call),
 * `extra` takes flat string entries, values of bfloat16, float8 and sub-byte types cannot be passed, and fetching a 4-bit
 * output kills the process (it asks for an impossible buffer), so that is refused here.
 */
import { readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { InferenceSession } from 'onnxruntime-common';
import type { Engine, Feeds, Session, SessionOptions, ValueInfo } from '../lib/engine.ts';
import { HoneError } from '../protocol/errors.ts';
import { failureOfOpen, failureOfRun } from './onnxruntime-errors.ts';
import { toFeeds, toOrtTensor, valueType } from './onnxruntime-tensors.ts';

type Ort = typeof import('onnxruntime-node');

/** Severity numbers of ONNX Runtime: 2 is warnings and up, 4 is fatal errors only. */
const WARNINGS = 2;
const FATAL = 4;

export interface OpenEngineOptions {
  /**
   * Let the native library write its warnings and errors to standard error. Off unless said: its errors arrive as exceptions
   * with the same text. A benchmark turns it on in its variant processes and collects the lines.
   */
  readonly nativeLog?: boolean;
}

export interface OnnxEngine extends Engine {
  open(model: string | Uint8Array, options?: SessionOptions): Promise<OnnxSession>;
}

/** Loads the native addon (about 30 ms, once per process). Throws `runtime-missing` when it cannot be loaded. */
export async function openEngine(options: OpenEngineOptions = {}): Promise<OnnxEngine> {
  const ort = await loadAddon();
  const severity = options.nativeLog === true ? WARNINGS : FATAL;
  // Read once, when the first session of the process is made.
  ort.env.logLevel = options.nativeLog === true ? 'warning' : 'fatal';
  return {
    name: 'ONNX Runtime',
    version: ort.env.versions.node ?? ort.env.versions.common,
    async open(model: string | Uint8Array, session: SessionOptions = {}): Promise<OnnxSession> {
      const provider = session.provider ?? 'cpu';
      let native: InferenceSession;
      try {
        const settings = sessionSettings(session, severity);
        native =
          typeof model === 'string'
            ? await ort.InferenceSession.create(model, settings)
            : await ort.InferenceSession.create(model, settings);
      } catch (thrown) {
        throw failureOfOpen(thrown, typeof model === 'string' ? model : null, provider);
      }
      return new OnnxSession(native, ort.Tensor, session.profilePrefix ?? null);
    },
  };
}

/** Names of the providers compiled into this platform's binary; whether one opens here is another question. */
export async function bundledProviders(): Promise<{ name: string; bundled: boolean }[]> {
  const ort = await loadAddon();
  return ort.listSupportedBackends().map(({ name, bundled }) => ({ name, bundled }));
}

async function loadAddon(): Promise<Ort> {
  try {
    return await import('onnxruntime-node');
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    throw new HoneError(
      'runtime-missing',
      `onnxruntime-node cannot be loaded on ${process.platform} ${process.arch}: ${reason}`,
      { cause: thrown },
    );
  }
}

function sessionSettings(options: SessionOptions, severity: 2 | 4): InferenceSession.SessionOptions {
  return {
    executionProviders: [options.provider ?? 'cpu'],
    executionMode: 'sequential',
    interOpNumThreads: 1,
    logSeverityLevel: severity,
    graphOptimizationLevel: options.optimization ?? 'all',
    ...(options.memoryPattern === undefined ? {} : { enableMemPattern: options.memoryPattern }),
    ...(options.threads === undefined ? {} : { intraOpNumThreads: options.threads }),
    ...(options.optimizedModelPath === undefined ? {} : { optimizedModelFilePath: options.optimizedModelPath }),
    ...(options.profilePrefix === undefined ? {} : { enableProfiling: true, profileFilePrefix: options.profilePrefix }),
    ...(options.config === undefined ? {} : { extra: { ...options.config } }),
  };
}

export class OnnxSession implements Session {
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly #native: InferenceSession;
  readonly #tensor: Ort['Tensor'];
  readonly #profilePrefix: string | null;

  constructor(native: InferenceSession, tensor: Ort['Tensor'], profilePrefix: string | null) {
    this.#native = native;
    this.#tensor = tensor;
    this.#profilePrefix = profilePrefix;
    this.inputs = native.inputMetadata.map((value) => ({ name: value.name, type: valueType(value) }));
    this.outputs = native.outputMetadata.map((value) => ({ name: value.name, type: valueType(value) }));
  }

  async run(feeds: Feeds, fetches?: readonly string[]): Promise<Feeds> {
    this.#refuseFourBit(fetches ?? this.#native.outputNames);
    const inputs = this.#convert(feeds);
    try {
      return toFeeds(await (fetches === undefined ? this.#native.run(inputs) : this.#native.run(inputs, fetches)));
    } catch (thrown) {
      throw failureOfRun(thrown);
    }
  }

  /**
   * Converts the feeds once and returns a function that runs the session on them and drops the outputs: for timing, where a
   * conversion inside the loop would be measured too. Native errors come as they are.
   */
  bind(feeds: Feeds): () => Promise<unknown> {
    this.#refuseFourBit(this.#native.outputNames);
    const inputs = this.#convert(feeds);
    const native = this.#native;
    return () => native.run(inputs);
  }

  /** Ends profiling and returns the path of the profile (Chrome trace JSON). Throws `runtime-failed` when there is none. */
  endProfiling(): string {
    this.#native.endProfiling();
    const prefix = this.#profilePrefix;
    // The engine appends a time stamp to the prefix and does not tell.
    const folder = dirname(prefix ?? '.');
    const name = prefix === null ? undefined : readdirSync(folder).find((file) => isProfile(file, basename(prefix)));
    if (name === undefined) throw new HoneError('runtime-failed', 'The session wrote no profile.');
    return join(folder, name);
  }

  async release(): Promise<void> {
    await this.#native.release();
  }

  #refuseFourBit(fetches: readonly string[]): void {
    for (const { name, type } of this.outputs) {
      if (type.kind === 'tensor' && (type.dtype === 'int4' || type.dtype === 'uint4') && fetches.includes(name)) {
        throw new HoneError(
          'runtime-failed',
          `Output '${name}' is ${type.dtype}, which the JavaScript interface of the runtime cannot give out.`,
          { where: { tensor: name } },
        );
      }
    }
  }

  #convert(feeds: Feeds): InferenceSession.FeedsType {
    return Object.fromEntries(
      Object.entries(feeds).map(([name, tensor]) => [name, toOrtTensor(this.#tensor, name, tensor)]),
    );
  }
}

function isProfile(file: string, prefix: string): boolean {
  return file.startsWith(`${prefix}_`) && file.endsWith('.json');
}
