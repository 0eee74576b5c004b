/**
 * Files that a running program finds by where its own code is, from the sources and from a bundle alike. A bundle is flat: every
 * entry and chunk of one output of the build lies in one folder (`dist/worker`, or `worker` in the resources of the app).
 */
import { basename, join } from 'node:path';

const HERE = import.meta.dirname;
const IS_BUNDLE = !import.meta.filename.endsWith('.ts');

/**
 * A module that is started or loaded by its path, as `bench/variant-process.ts` from `native-workers/`. In a bundle it is an
 * entry of its own, which `build.ts` lists.
 */
export function modulePath(source: string): string {
  return IS_BUNDLE ? join(HERE, `${basename(source, '.ts')}.js`) : join(HERE, '..', source);
}

/** Folder of the built report view, which every HTML report carries. In the packaged app it is beside the worker too. */
export function reportViewFolder(): string {
  return IS_BUNDLE ? join(HERE, '..', 'report-view') : join(HERE, '..', '..', 'dist', 'report-view');
}
