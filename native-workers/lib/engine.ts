/**
 * What Hone needs of an inference engine, as an interface: passes, calibration and metrics get one injected and never import
 * a native addon. `runtimes/` implements it.
 */
import type { DType } from '../graph/dtype.ts';
import type { ValueType } from '../graph/types.ts';

/** A tensor in memory for running: `data` is row-major; sub-byte types are packed as in ONNX; bool is one byte. */
export interface HostTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** float16 and bfloat16 as their bits in a Uint16Array. */
  readonly data: NumericArray | readonly string[];
}

export type NumericArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/** Tensors by input or output name. */
export type Feeds = Record<string, HostTensor>;

export interface SessionOptions {
  /** 'cpu' unless said. */
  readonly provider?: string;
  readonly threads?: number;
  readonly optimization?: 'disabled' | 'basic' | 'extended' | 'layout' | 'all';
  /** Where to save the optimised graph. */
  readonly optimizedModelPath?: string;
  /** Where to save a profile; the engine adds a suffix and `endProfiling` tells the path. */
  readonly profilePrefix?: string;
  /** Whether memory is planned for a whole run at once, which pays when many runs have the same shapes; true unless said. */
  readonly memoryPattern?: boolean;
  /** Engine-specific entries, such as `session.qdqisint8allowed`. */
  readonly config?: Readonly<Record<string, string>>;
}

export interface ValueInfo {
  readonly name: string;
  readonly type: ValueType;
}

export interface Session {
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  /** Runs once. Blocks the thread while it runs, whatever the promise says. `fetches`: outputs to return; all unless said. */
  run(feeds: Feeds, fetches?: readonly string[]): Promise<Feeds>;
  /** Ends profiling, where the engine profiles, and returns the path of the profile. */
  endProfiling?(): string;
  release(): Promise<void>;
}

export interface Engine {
  readonly name: string;
  readonly version: string;
  /** Opens a model by path (external data is mapped by the engine) or from bytes. Throws `runtime-rejected-model`. */
  open(model: string | Uint8Array, options?: SessionOptions): Promise<Session>;
}
