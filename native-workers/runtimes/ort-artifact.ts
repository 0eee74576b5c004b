/** ONNX Runtime as the runtime of ORT-format artifacts: in a fresh process, as a device would load the file. */
import type { ArtifactSession, TargetRuntime } from '../artifacts/target.ts';
import { openEngine } from './onnxruntime.ts';

export async function openRuntime(): Promise<TargetRuntime> {
  const engine = await openEngine();
  return {
    name: `${engine.name} ${engine.version}`,
    async open(path): Promise<ArtifactSession> {
      // As a device loads it: optimisations that the file keeps as records are applied now.
      const session = await engine.open(path, { optimization: 'all', threads: 1 });
      return { run: (feeds) => session.run(feeds), release: () => session.release() };
    },
  };
}
