/** ONNX Runtime as the runtime of ORT-format artifacts: in a fresh process, as a device would load the file. */
import type { ArtifactSession, TargetRuntime } from '../artifacts/target.ts';
import { openEngine } from './onnxruntime.ts';

export async function openRuntime(): Promise<TargetRuntime> {
  const engine = await openEngine();
  return {
    name: `${engine.name} ${engine.version}`,
    async open(path): Promise<ArtifactSession> {
      const session = await engine.open(path, { optimization: 'disabled', threads: 1 });
      return { run: (feeds) => session.run(feeds), release: () => session.release() };
    },
  };
}
