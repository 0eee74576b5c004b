/**
 * Node's cache of compiled code, types stripped, for this process and its workers. It is in a folder of the user's own: whoever
 * can write it can put code into it, which the shared folder for temporary files would allow to others.
 */
import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';

export function keepCompiledCode(env: NodeJS.ProcessEnv = process.env): void {
  const folder = env['NODE_COMPILE_CACHE'] ?? compileCacheFolder(env);
  // Workers get it by this name; see `worker-environment.ts`.
  env['NODE_COMPILE_CACHE'] = folder;
  // Where the folder cannot be written, Node goes on without.
  enableCompileCache(folder);
}

export function compileCacheFolder(env: NodeJS.ProcessEnv): string {
  if (process.platform === 'win32')
    return join(env['LOCALAPPDATA'] ?? join(homedir(), 'AppData', 'Local'), 'Hone', 'compiled');
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'Hone', 'compiled');
  return join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'hone', 'compiled');
}
