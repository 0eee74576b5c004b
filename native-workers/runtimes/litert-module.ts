/**
 * The wasm module of LiteRT in plain Node. The npm package documents browsers only: its wrapper wants a page and takes few element
 * types. The module under it runs in Node as it is, once its loader is a CommonJS file, so a copy of it stands in a folder of its own.
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { DType } from '../graph/dtype.ts';
import { HoneError } from '../protocol/errors.ts';

/** Names of the wasm builds: the plain one, and the one with threads. */
const BUILDS = { plain: 'litert_wasm_internal', threads: 'litert_wasm_threaded_internal' } as const;
export type LiteRtBuild = keyof typeof BUILDS;

export interface WasmObject {
  delete(): void;
}

export interface WasmVector<Element> {
  size(): number;
  get(index: number): Element;
}

export interface WritableVector extends WasmVector<number>, WasmObject {
  push_back(value: number): void;
}

export interface WasmLayout extends WasmObject {
  dimensions(): WasmVector<number>;
}

export interface TensorInfo extends WasmObject {
  elementType(): { readonly value: number };
  layout(): WasmLayout;
}

export interface WasmTensor extends WasmObject {
  tensorType(): TensorInfo;
  lock(mode: unknown): number;
  unlock(): void;
  packedSize(): number;
}

export interface WasmSignature {
  inputNames(): WasmVector<string>;
  outputNames(): WasmVector<string>;
}

export interface WasmModel extends WasmObject {
  getSignature(index: number): WasmSignature;
  getInputTensorType(signature: number, index: number): TensorInfo;
  getOutputTensorType(signature: number, index: number): TensorInfo;
}

export interface CompiledModel extends WasmObject {
  run(signature: number, inputs: readonly WasmTensor[]): Promise<readonly WasmTensor[]> | readonly WasmTensor[];
  isFullyAccelerated?(): boolean;
}

/** The part of the wasm module that is used here. */
export interface LiteRtModule {
  readonly HEAPU8: Uint8Array;
  _malloc(bytes: number): number;
  _free(at: number): void;
  setupLogging(): void;
  readonly VectorInt32: new () => WritableVector;
  readonly LiteRtEnvironment: { create(options: null): WasmObject };
  readonly LiteRtLayout: { create(dimensions: WritableVector): WasmLayout };
  readonly LiteRtRankedTensorType: { create(element: { readonly value: number }, layout: WasmLayout): TensorInfo };
  readonly LiteRtTensorBufferType: { readonly HOST_MEMORY: unknown };
  readonly LiteRtTensorBufferLockMode: { readonly READ: unknown; readonly WRITE: unknown };
  readonly LiteRtTensorBuffer: {
    createManaged(environment: WasmObject, kind: unknown, type: TensorInfo, bytes: number): WasmTensor;
  };
  loadModel(environment: WasmObject, at: number, bytes: number): WasmModel;
  compileModel(environment: WasmObject, model: WasmModel, options: object): Promise<CompiledModel> | CompiledModel;
}

/** Codes of `LiteRtElementType`, which are not those of the file. Source: litert/c/litert_model_types.h. */
export const ELEMENT_TYPES: ReadonlyMap<number, DType> = new Map([
  [1, 'float32'],
  [2, 'int32'],
  [3, 'uint8'],
  [4, 'int64'],
  [6, 'bool'],
  [7, 'int16'],
  [9, 'int8'],
  [10, 'float16'],
  [11, 'float64'],
  [13, 'uint64'],
  [16, 'uint32'],
  [17, 'uint16'],
  [18, 'int4'],
]);

/** Loads the wasm module anew. Throws `runtime-missing`. */
export async function loadLiteRt(
  build: LiteRtBuild,
  print: (line: unknown) => void,
): Promise<{ module: LiteRtModule; version: string }> {
  const { loader, version } = prepareFiles(BUILDS[build]);
  // The loader looks for the global object of a page or of a worker.
  const globals = globalThis as { self?: unknown };
  globals.self ??= globalThis;
  const factory = createRequire(loader)(loader) as (options: object) => Promise<LiteRtModule>;
  return { module: await factory({ print, printErr: print }), version };
}

/** Copies the wasm build to where Node takes its loader as CommonJS; the package says that all its files are modules. */
function prepareFiles(build: string): { loader: string; version: string } {
  const require = createRequire(import.meta.url);
  let root: string;
  try {
    root = dirname(dirname(require.resolve('@litertjs/core')));
  } catch (thrown) {
    throw new HoneError('runtime-missing', 'The package @litertjs/core is not installed.', { cause: thrown });
  }
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  const user = process.getuid?.() ?? 0;
  const folder = join(tmpdir(), `hone-litert-${version}-${user}`, build);
  const loader = join(folder, `${build}.js`);
  if (existsSync(loader)) return { loader, version };
  mkdirSync(dirname(folder), { recursive: true, mode: 0o700 });
  const making = mkdtempSync(join(dirname(folder), 'making-'));
  for (const file of [`${build}.js`, `${build}.wasm`])
    copyFileSync(join(root, 'wasm', file), join(making, basename(file)));
  writeFileSync(join(making, 'package.json'), '{"type":"commonjs"}');
  try {
    renameSync(making, folder);
  } catch (thrown) {
    // Another process was faster; its copy is as good.
    rmSync(making, { recursive: true, force: true });
    if (!existsSync(loader)) throw thrown;
  }
  return { loader, version };
}
