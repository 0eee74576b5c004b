/** Modules that are started by their path are found from the sources and from a bundle, which is flat. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'vite';
import { describe, expect, it } from 'vitest';
import { TARGETS } from '../../../native-workers/artifacts/registry.ts';
import { modulePath, reportViewFolder } from '../../../native-workers/lib/program-files.ts';
import { ROOT } from '../../helpers/sources.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

const STARTED = [
  'bench/variant-process.ts',
  'verify/artifact-process.ts',
  ...TARGETS.map((target) => target.runtimeModule),
];

describe('modules that are started by their path', () => {
  it.each(STARTED)('%s is there in the sources', (source) => {
    expect(modulePath(source)).toBe(join(ROOT, 'native-workers', source));
    expect(existsSync(modulePath(source))).toBe(true);
  });

  it('are looked for beside the code of a bundle', async () => {
    const folder = temporaryFolder();
    await build({
      configFile: false,
      logLevel: 'silent',
      root: ROOT,
      build: {
        ssr: true,
        outDir: join(folder, 'worker'),
        rolldownOptions: { input: 'native-workers/lib/program-files.ts', output: { entryFileNames: 'code.mjs' } },
      },
    });
    const code = pathToFileURL(join(folder, 'worker', 'code.mjs')).href;
    const script = `import('${code}').then((m) => console.log(m.modulePath('bench/variant-process.ts') + ' ' + m.reportViewFolder()))`;
    const found = execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' }).trim();
    expect(found).toBe(`${join(folder, 'worker', 'variant-process.js')} ${join(folder, 'report-view')}`);
  });
});

describe('the report view', () => {
  it('is in dist, seen from the sources', () => {
    expect(reportViewFolder()).toBe(join(ROOT, 'dist', 'report-view'));
  });
});
