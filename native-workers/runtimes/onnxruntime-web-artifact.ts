/** ONNX Runtime's WebAssembly build as a further runtime of ORT-format artifacts: what a page or a hybrid app would load. */
import type { ArtifactSession, TargetRuntime } from '../artifacts/target.ts';
import { openWasmEngine } from './onnxruntime-web.ts';

export async function openRuntime(): Promise<TargetRuntime> {
  const engine = await openWasmEngine();
  return {
    name: `${engine.name} ${engine.version}`,
    async open(path): Promise<ArtifactSession> {
      // As a device loads it: optimisations that the file keeps as records are applied now.
      const session = await engine.open(path, { optimization: 'all', threads: 1 });
      return { run: (feeds) => session.run(feeds), release: () => session.release() };
    },
  };
}
