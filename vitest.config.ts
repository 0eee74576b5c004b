import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/{unit,properties,golden,models,protocol,style,report,electron,e2e,conformance}/**/*.test.{ts,tsx}'],
    // Electron's binary is not needed for the tests of its host.
    alias: { electron: fileURLToPath(new URL('test/helpers/fake-electron.ts', import.meta.url)) },
    // Tests start real processes and load native addons: forks, and no more of them than the machine has cores.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    passWithNoTests: false,
  },
});
