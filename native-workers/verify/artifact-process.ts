/** The process that runs one artifact on its own runtime: some runtimes abort when a model is bad, and only this process dies. */
import { pathToFileURL } from 'node:url';
import type { ArtifactSession, TargetRuntime } from '../artifacts/target.ts';
import { modulePath } from '../lib/program-files.ts';
import { toHoneError } from '../protocol/errors.ts';
import type { ArtifactReply, ArtifactRequest } from './artifact-messages.ts';

let session: ArtifactSession | null = null;

function reply(message: ArtifactReply): void {
  process.send?.(message);
}

async function answer(request: ArtifactRequest): Promise<void> {
  if (request.type === 'open') {
    // A URL, since an absolute path of Windows is none that `import` takes.
    const url = pathToFileURL(modulePath(request.module)).href;
    const { openRuntime } = (await import(url)) as { openRuntime: () => Promise<TargetRuntime> };
    const runtime = await openRuntime();
    session = await runtime.open(request.path, request.signature, (line) => reply({ type: 'log', line }));
    reply({ type: 'opened', runtime: runtime.name });
    return;
  }
  if (session === null) throw new Error('no artifact is open');
  reply({ type: 'outputs', outputs: await session.run(request.feeds) });
}

process.on('message', (request: ArtifactRequest) => {
  answer(request).catch((thrown: unknown) => reply({ type: 'failed', error: toHoneError(thrown).toData() }));
});
process.on('disconnect', () => process.exit(0));
