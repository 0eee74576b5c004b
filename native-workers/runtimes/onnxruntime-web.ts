/**
 * ONNX Runtime's WebAssembly build under plain Node, behind the same interface: what a model does in a browser without a GPU.
 * The package's Node entry loads the threaded SIMD build; its threads are worker threads that start with the first session.
 */
import { readFile } from 'node:fs/promises';
import type { InferenceSession } from 'onnxruntime-common';
import type { SessionOptions } from '../lib/engine.ts';
import { HoneError } from '../protocol/errors.ts';
import { type OnnxEngine, OnnxSession } from './onnxruntime.ts';
import { failureOfOpen } from './onnxruntime-errors.ts';

type OrtWeb = typeof import('onnxruntime-web');

/**
 * Throws `provider-unavailable` when the package is not installed. The number of threads is one setting of the whole process,
 * taken from the first session; options that the build does not have (optimised graphs, profiles) are ignored.
 */
export async function openWasmEngine(): Promise<OnnxEngine> {
  const ort = await loadPackage();
  // Its warnings go to the console, which belongs to the command line's reader.
  ort.env.logLevel = 'fatal';
  return {
    name: 'ONNX Runtime Web (wasm)',
    version: ort.env.versions.web ?? ort.env.versions.common,
    async open(model: string | Uint8Array, options: SessionOptions = {}): Promise<OnnxSession> {
      ort.env.wasm.numThreads = options.threads ?? 1;
      const path = typeof model === 'string' ? model : null;
      // Bytes that are read before, so that a missing file is that and no rejected model.
      const bytes = typeof model === 'string' ? new Uint8Array(await readFile(model)) : model;
      let session: InferenceSession;
      try {
        session = await ort.InferenceSession.create(bytes, {
          executionProviders: ['wasm'],
          logSeverityLevel: 4,
          // This build knows no level of its own for the layout.
          graphOptimizationLevel: options.optimization === 'layout' ? 'extended' : (options.optimization ?? 'all'),
        });
      } catch (thrown) {
        throw failureOfOpen(thrown, path, 'wasm');
      }
      return new OnnxSession(session, ort.Tensor, null);
    },
  };
}

async function loadPackage(): Promise<OrtWeb> {
  try {
    return await import('onnxruntime-web');
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    throw new HoneError('provider-unavailable', `onnxruntime-web cannot be loaded: ${reason}`, { cause: thrown });
  }
}
