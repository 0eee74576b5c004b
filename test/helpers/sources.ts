/** The project's own source files, for tests that read code. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

export interface SourceFile {
  /** From the root, with forward slashes. */
  readonly path: string;
  readonly text: string;
  /** What it imports: own files as paths from the root, packages and builtins as they are written. */
  readonly imports: readonly { readonly target: string; readonly typeOnly: boolean }[];
}

const IMPORT =
  /^\s*(?:import|export)\s+(type\s+)?(?:[^'"();]*?\s+from\s+)?['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm;

export function sourceFiles(folders: readonly string[]): SourceFile[] {
  const files: SourceFile[] = [];
  for (const folder of folders) {
    for (const entry of readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || !/\.(ts|tsx|css)$/.test(entry.name)) continue;
      const path = posix.join(
        ...join(entry.parentPath, entry.name)
          .slice(ROOT.length + 1)
          .split(/[\\/]/),
      );
      if (path.includes('node_modules/')) continue;
      const text = readFileSync(join(ROOT, path), 'utf8');
      files.push({ path, text, imports: importsOf(path, text) });
    }
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

function importsOf(path: string, text: string): SourceFile['imports'] {
  return [...text.matchAll(IMPORT)].map(([, typeOnly, written, dynamic]) => {
    const target = written ?? dynamic ?? '';
    const own = target.startsWith('.') ? posix.join(posix.dirname(path), target) : target;
    return { target: own, typeOnly: typeOnly !== undefined };
  });
}
