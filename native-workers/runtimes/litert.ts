/**
 * LiteRT in plain Node, by the raw functions of its wasm module, which are those that the package's own wrapper calls. A model that the
 * runtime cannot run may end the process or give garbage with no more than an ERROR line in the log: run it in a process of its
 * own and look at the log.
 */
import { type DType, elementCount } from '../graph/dtype.ts';
import { tensorFromBytes, tensorFromHost, tensorFromNumbers, toHostTensor, toNumbers } from '../graph/tensor-values.ts';
import { concatBytes } from '../lib/bytes.ts';
import type { HostTensor } from '../lib/engine.ts';
import { HoneError } from '../protocol/errors.ts';
import {
  type CompiledModel,
  ELEMENT_TYPES,
  type LiteRtBuild,
  type LiteRtModule,
  loadLiteRt,
  type TensorInfo,
  type WasmModel,
  type WasmObject,
  type WasmTensor,
  type WasmVector,
} from './litert-module.ts';

export interface LiteRtOptions {
  readonly build?: LiteRtBuild;
  readonly threads?: number;
  /** Gets each line that the runtime prints. */
  readonly log?: (line: string) => void;
}

/** Weights are copied as they are packed, into a memory of 4 GB at most. */
const LARGE_FILE = 512 << 20;

function noRoom(bytes: number): HoneError {
  return new HoneError(
    'worker-out-of-memory',
    `LiteRT as WebAssembly, which is the one here, has no room for a file of ${(bytes / 1e9).toFixed(2)} GB and its packed weights: try it on a device.`,
  );
}

export class LiteRt {
  readonly version: string;
  readonly #module: LiteRtModule;
  readonly #environment: WasmObject;
  readonly #threads: number;
  readonly #lines: string[];

  private constructor(module: LiteRtModule, version: string, threads: number, lines: string[]) {
    this.#module = module;
    this.version = version;
    this.#threads = threads;
    this.#lines = lines;
    module.setupLogging();
    this.#environment = module.LiteRtEnvironment.create(null);
  }

  /** Loads the wasm module, once for each instance: one that aborted is of no use any more. Throws `runtime-missing`. */
  static async create(options: LiteRtOptions = {}): Promise<LiteRt> {
    const { build = 'plain', threads = 1, log } = options;
    const lines: string[] = [];
    const print = (line: unknown): void => {
      lines.push(String(line));
      log?.(String(line));
    };
    const { module, version } = await loadLiteRt(build, print);
    return new LiteRt(module, version, threads, lines);
  }

  get name(): string {
    return `LiteRT ${this.version} (wasm)`;
  }

  /**
   * Opens a TFLite file that was read into memory. Throws `runtime-rejected-model` with the last line of the log, and
   * `worker-out-of-memory` for a file that WebAssembly has no room for: it says nothing about the file.
   */
  async open(bytes: Uint8Array): Promise<LiteRtSession> {
    const module = this.#module;
    const at = module._malloc(bytes.length);
    if (at === 0) throw noRoom(bytes.length);
    module.HEAPU8.set(bytes, at);
    try {
      const model = module.loadModel(this.#environment, at, bytes.length);
      const compiled = await module.compileModel(this.#environment, model, {
        accelerator: 'wasm',
        environment: { liteRtEnvironment: this.#environment },
        cpuOptions: { numThreads: this.#threads },
        gpuOptions: {},
        webNNOptions: {},
      });
      return new LiteRtSession(module, this.#environment, model, compiled, { at, bytes: bytes.length });
    } catch (thrown) {
      module._free(at);
      // An allocation that failed inside shows as an access to nowhere.
      if (thrown instanceof Error && thrown.name === 'RuntimeError' && bytes.length >= LARGE_FILE)
        throw noRoom(bytes.length);
      throw new HoneError('runtime-rejected-model', `LiteRT does not load it: ${this.#explain(thrown)}`);
    }
  }

  #explain(thrown: unknown): string {
    const logged = this.#lines.filter((line) => /ERROR/.test(line)).slice(-2);
    return [...logged, thrown instanceof Error ? thrown.message : String(thrown)].join(' ');
  }
}

export interface LiteRtValue {
  /** In the model's signature. */
  readonly name: string;
  readonly dtype: DType;
  /** -1 where the model leaves a size open. */
  readonly shape: readonly number[];
}

export class LiteRtSession {
  readonly inputs: readonly LiteRtValue[];
  readonly outputs: readonly LiteRtValue[];
  readonly #module: LiteRtModule;
  readonly #environment: WasmObject;
  readonly #model: WasmModel;
  readonly #compiled: CompiledModel;
  readonly #at: number;
  /** Of the file. */
  readonly #bytes: number;

  constructor(
    module: LiteRtModule,
    environment: WasmObject,
    model: WasmModel,
    compiled: CompiledModel,
    file: { readonly at: number; readonly bytes: number },
  ) {
    this.#module = module;
    this.#environment = environment;
    this.#model = model;
    this.#compiled = compiled;
    this.#at = file.at;
    this.#bytes = file.bytes;
    const signature = model.getSignature(0);
    this.inputs = list(signature.inputNames()).map((name, index) =>
      describeValue(name, model.getInputTensorType(0, index)),
    );
    this.outputs = list(signature.outputNames()).map((name, index) =>
      describeValue(name, model.getOutputTensorType(0, index)),
    );
  }

  /**
   * Feeds by the signature's names, of any type and of the sizes of the model. More samples than one are run one by one where
   * the model leaves the batch open or takes one: this build allocates its outputs for the sizes in the file, whatever the
   * inputs are. Throws `data-mismatch`, `runtime-failed`.
   */
  async run(feeds: Readonly<Record<string, HostTensor>>): Promise<Record<string, HostTensor>> {
    const samples = this.#samplesOf(feeds);
    if (samples === 1) return this.#runOnce(feeds);
    const results: Record<string, HostTensor>[] = [];
    for (let at = 0; at < samples; at++) {
      const one = Object.entries(feeds).map(([name, tensor]) => [name, sampleOf(tensor, at)] as const);
      results.push(await this.#runOnce(Object.fromEntries(one)));
    }
    return Object.fromEntries(this.outputs.map(({ name }) => [name, joined(results.map((each) => each[name]))]));
  }

  /** How many samples the feeds hold, where all inputs hold as many and the model takes one at a time. */
  #samplesOf(feeds: Readonly<Record<string, HostTensor>>): number {
    const counts = new Set(
      this.inputs.map(({ name, shape: [first = 0] }) =>
        first === -1 || first === 1 ? (feeds[name]?.shape[0] ?? 1) : 1,
      ),
    );
    const [count = 1] = counts;
    return counts.size === 1 && count > 0 ? count : 1;
  }

  async #runOnce(feeds: Readonly<Record<string, HostTensor>>): Promise<Record<string, HostTensor>> {
    const buffers: WasmTensor[] = [];
    try {
      for (const input of this.inputs) buffers.push(this.#write(input, feeds[input.name]));
      const results = await this.#compiled.run(0, buffers);
      return Object.fromEntries(
        this.outputs.map((output, index) => [output.name, this.#read(output, results[index])] as const),
      );
    } catch (thrown) {
      if (thrown instanceof HoneError) throw thrown;
      // XNNPACK packs the weights at the first run, which asks for as much again.
      if (this.#bytes >= LARGE_FILE) throw noRoom(this.#bytes);
      throw new HoneError('runtime-failed', `LiteRT does not run it: ${thrown}`);
    } finally {
      for (const buffer of buffers) buffer.delete();
    }
  }

  release(): void {
    this.#compiled.delete();
    this.#model.delete();
    this.#module._free(this.#at);
  }

  #write(input: LiteRtValue, tensor: HostTensor | undefined): WasmTensor {
    if (tensor === undefined) throw new HoneError('data-mismatch', `The input '${input.name}' has no data.`);
    const fits =
      tensor.shape.length === input.shape.length &&
      input.shape.every((dim, axis) => dim < 0 || dim === tensor.shape[axis]);
    if (!fits) {
      throw new HoneError(
        'data-mismatch',
        `The input '${input.name}' takes [${input.shape.join(', ')}], and the data is [${tensor.shape.join(', ')}].`,
      );
    }
    const source = tensorFromHost(tensor);
    const converted =
      source.dtype === input.dtype ? source : tensorFromNumbers(input.dtype, toNumbers(source), source.shape);
    const bytes = converted.data.read();
    const module = this.#module;
    const type = this.#typeOf(input, tensor.shape);
    const buffer = module.LiteRtTensorBuffer.createManaged(
      this.#environment,
      module.LiteRtTensorBufferType.HOST_MEMORY,
      type,
      bytes.length,
    );
    type.delete();
    module.HEAPU8.set(bytes, buffer.lock(module.LiteRtTensorBufferLockMode.WRITE));
    buffer.unlock();
    return buffer;
  }

  #typeOf(input: LiteRtValue, shape: readonly number[]): TensorInfo {
    const module = this.#module;
    const dimensions = new module.VectorInt32();
    for (const dim of shape) dimensions.push_back(dim);
    const layout = module.LiteRtLayout.create(dimensions);
    dimensions.delete();
    const code = [...ELEMENT_TYPES].find(([, dtype]) => dtype === input.dtype)?.[0] ?? 0;
    const type = module.LiteRtRankedTensorType.create({ value: code }, layout);
    layout.delete();
    return type;
  }

  #read(output: LiteRtValue, buffer: WasmTensor | undefined): HostTensor {
    if (buffer === undefined) throw new HoneError('runtime-failed', `LiteRT gave no output '${output.name}'.`);
    const { shape } = describeValue(output.name, buffer.tensorType());
    const from = buffer.lock(this.#module.LiteRtTensorBufferLockMode.READ);
    const bytes = this.#module.HEAPU8.slice(from, from + buffer.packedSize());
    buffer.unlock();
    buffer.delete();
    elementCount(shape);
    return toHostTensor(tensorFromBytes(output.dtype, shape, bytes));
  }
}

function sampleOf(tensor: HostTensor, at: number): HostTensor {
  const shape = [1, ...tensor.shape.slice(1)];
  const count = elementCount(shape);
  return { ...tensor, shape, data: tensor.data.slice(at * count, (at + 1) * count) };
}

/** Tensors one after another along their first dimension. */
function joined(tensors: readonly (HostTensor | undefined)[]): HostTensor {
  const present = tensors.filter((tensor) => tensor !== undefined);
  const [first] = present;
  if (first === undefined) throw new HoneError('runtime-failed', 'LiteRT gave no output.');
  const shape = [present.length * (first.shape[0] ?? 1), ...first.shape.slice(1)];
  const pieces = present.map((tensor) => tensorFromHost(tensor).data.read());
  return toHostTensor(tensorFromBytes(first.dtype, shape, concatBytes(pieces)));
}

function list<Element>(vector: WasmVector<Element>): Element[] {
  return Array.from({ length: vector.size() }, (_, index) => vector.get(index));
}

function describeValue(name: string, type: TensorInfo): LiteRtValue {
  const code = type.elementType().value;
  const dtype = ELEMENT_TYPES.get(code);
  const layout = type.layout();
  const shape = list(layout.dimensions());
  layout.delete();
  type.delete();
  if (dtype === undefined)
    throw new HoneError('runtime-rejected-model', `LiteRT gives '${name}' a type of code ${code}, unknown to Hone.`);
  return { name, dtype, shape };
}
