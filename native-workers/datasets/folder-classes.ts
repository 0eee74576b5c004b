/** Labels that stand in the names of folders. */

export interface FolderClasses {
  /** What all paths begin with and no class stands in: the one folder that an archive often wraps its content in. */
  readonly prefix: string;
  /** Class folder of each path; null when the files are in no class folders. */
  readonly classOf: ((path: string) => string) | null;
}

/**
 * Class folders are the folders that hold the files, at least two of them, all at the same level below one common folder.
 * One folder of files is a wrapper and not the only class.
 */
export function folderClasses(paths: readonly string[]): FolderClasses {
  const prefix = commonFolder(paths);
  const inner = paths.map((path) => path.slice(prefix.length));
  const isClassed = inner.length > 0 && inner.every((path) => path.includes('/'));
  if (!isClassed) return { prefix, classOf: null };
  return { prefix, classOf: (path) => path.slice(prefix.length, path.indexOf('/', prefix.length)) };
}

/** The longest folder that all paths lie in, with its slash at the end. */
function commonFolder(paths: readonly string[]): string {
  const first = paths[0];
  if (first === undefined) return '';
  let prefix = first.slice(0, first.lastIndexOf('/') + 1);
  for (const path of paths) {
    while (!path.startsWith(prefix)) prefix = prefix.slice(0, prefix.lastIndexOf('/', prefix.length - 2) + 1);
  }
  return prefix;
}
