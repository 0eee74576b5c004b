/**
 * Runs before the app is packed: writes the SHA-256 of everything outside the archive into a file that goes inside, for
 * `electron/resources.ts` to check. On macOS signing changes binaries after this, and the app's signature covers them.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Configuration } from 'electron-builder';
import { hashFile } from '../../native-workers/lib/hash-file.ts';
import { HASHES } from './hashes.ts';
import { resourceFiles } from './resource-files.ts';

export async function recordResources(
  config: Configuration,
  platform: string,
  arch: string | undefined,
  project: string,
): Promise<void> {
  const hashes: Record<string, string> = {};
  for (const [target, source] of resourceFiles(config, platform, arch ?? '', project)) {
    if (platform !== 'darwin') hashes[target] = (await hashFile(join(project, source))).sha256;
  }
  await writeFile(join(project, 'dist', 'electron', HASHES), JSON.stringify(hashes, null, 2));
}
