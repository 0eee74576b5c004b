/** Which files the configuration of electron-builder puts into the resources of the app, for a platform and processor. */
import { existsSync, globSync, statSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import type { Configuration, FileSet } from 'electron-builder';

/** What electron-builder calls a platform. */
const SECTIONS: Readonly<Record<string, 'linux' | 'mac' | 'win'>> = { darwin: 'mac', linux: 'linux', win32: 'win' };

/**
 * Paths in the project, by path in the resources folder; both with forward slashes. Throws when a file or package that is
 * named is not there: electron-builder would only warn.
 */
export function resourceFiles(
  config: Configuration,
  platform: string,
  arch: string,
  project: string,
): Map<string, string> {
  const files = new Map<string, string>();
  const section = SECTIONS[platform];
  if (section === undefined) throw new Error(`Hone is not packaged for ${platform}.`);
  const sets = [config.extraResources, config[section]?.extraResources];
  for (const set of sets.flat()) {
    const { from, to, filter } = asFileSet(set);
    const source = expand(from, arch);
    const target = expand(to, arch);
    if (!existsSync(join(project, source))) {
      throw new Error(`${source} is not there. Build first, and package ${platform} ${arch} on such a machine.`);
    }
    if (filter === undefined) files.set(target, source);
    for (const file of matching(join(project, source), filter ?? [], arch))
      files.set(`${target}/${file}`, `${source}/${file}`);
  }
  return files;
}

function matching(folder: string, filter: readonly string[], arch: string): string[] {
  return globSync(
    filter.map((pattern) => expand(pattern, arch)),
    { cwd: folder },
  )
    .filter((file) => statSync(join(folder, file)).isFile())
    .map((file) => relative(folder, join(folder, file)).split(sep).join('/'));
}

/** The configuration keeps to one of the forms that electron-builder takes. */
function asFileSet(set: string | FileSet | null | undefined): { from: string; to: string; filter?: string[] } {
  if (typeof set !== 'object' || set === null || set.from === undefined || set.to === undefined) {
    throw new Error(`A resource needs from and to: ${JSON.stringify(set)}`);
  }
  const { from, to, filter } = set;
  if (filter === undefined || filter === null) return { from, to };
  return { from, to, filter: typeof filter === 'string' ? [filter] : filter };
}

const expand = (pattern: string, arch: string): string => pattern.replaceAll(/\$\{arch\}/g, arch);
