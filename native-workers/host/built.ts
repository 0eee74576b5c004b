/** Where `npm run build` puts what is built: of a checkout and of the bundled command line alike, two folders up and in `dist`. */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export function builtFolder(name: 'renderer' | 'report-view' | 'electron' | 'worker'): string {
  return join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'dist', name);
}
