/** ONNX Runtime's WebAssembly build as a further runtime of ORT-format artifacts: what a page or a hybrid app would load. */
import type { ArtifactSession, TargetRuntime } from '../artifacts/target.ts';
import { openWasmEngine } from './onnxruntime-web.ts';

export async function openRuntime(): Promise<TargetRuntime> {
  const engine = await openWasmEngine();
  return {
    name: `${engine.name} ${engine.version}`,
    async open(path): Promise<ArtifactSession> {
      const session = await engine.open(path, { optimization: 'disabled', threads: 1 });
      return { run: (feeds) => session.run(feeds), release: () => session.release() };
    },
  };
}
