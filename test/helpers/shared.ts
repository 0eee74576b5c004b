/** The folder of real models, data and operator tests that lies beside the checkout; suites that need it say when it is absent. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ROOT } from './sources.ts';

export const SHARED: string = resolve(process.env['HONE_SHARED'] ?? join(ROOT, '..', 'shared'));
export const hasShared: boolean = existsSync(join(SHARED, 'conformance'));

if (!hasShared) {
  process.stderr.write(
    `SKIPPED: suites with real models need the folder that HONE_SHARED names, and ${SHARED} is not there.\n`,
  );
}
