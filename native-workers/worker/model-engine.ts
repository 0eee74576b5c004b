/** The engine as jobs use it: it opens every model that Hone reads, by way of ONNX where the file is of another format. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { writeOnnx } from '../formats/onnx/write.ts';
import { detectFormat, openModel } from '../formats/registry.ts';
import type { SessionOptions } from '../lib/engine.ts';
import { type OnnxEngine, openEngine } from '../runtimes/onnxruntime.ts';

/** Formats that ONNX Runtime opens itself. */
const NATIVE = new Set(['onnx', 'ort']);

export async function openModelEngine(): Promise<OnnxEngine> {
  const engine = await openEngine();
  const written = new Map<string, Promise<string>>();
  return {
    name: engine.name,
    version: engine.version,
    async open(model: string | Uint8Array, options?: SessionOptions) {
      if (typeof model !== 'string') return engine.open(model, options);
      const path = written.get(model) ?? onnxPathOf(model);
      written.set(model, path);
      return engine.open(await path, options);
    },
  };
}

/**
 * A path that ONNX Runtime opens: the model's own, or that of an ONNX file made from it in the temporary folder of the job,
 * which the host removes with the job.
 */
export async function onnxPathOf(model: string): Promise<string> {
  if (NATIVE.has(detectFormat(model).id)) return model;
  const path = join(await mkdtemp(join(tmpdir(), 'onnx-')), `${basename(model)}.onnx`);
  await writeOnnx(await openModel(model), path);
  return path;
}
