/** LiteRT as the runtime of TFLite artifacts, in a fresh process. */
import { readFileSync } from 'node:fs';
import type { ArtifactSession, TargetRuntime } from '../artifacts/target.ts';
import { LiteRt } from './litert.ts';

export async function openRuntime(): Promise<TargetRuntime> {
  let log: (line: string) => void = () => undefined;
  const runtime = await LiteRt.create({ log: (line) => log(line) });
  return {
    name: runtime.name,
    async open(path, signature, listener): Promise<ArtifactSession> {
      log = listener;
      const session = await runtime.open(readFileSync(path));
      return {
        async run(feeds) {
          const given = Object.fromEntries(
            signature.inputs.flatMap(({ source, name }) => (feeds[source] ? [[name, feeds[source]]] : [])),
          );
          const results = await session.run(given);
          return Object.fromEntries(
            signature.outputs.flatMap(({ source, name }) => (results[name] ? [[source, results[name]]] : [])),
          );
        },
        release: async () => session.release(),
      };
    },
  };
}
