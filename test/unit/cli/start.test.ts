/** `npm start` where there is an Electron: a stand-in for its binary tells what it was started with. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../helpers/studio.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

interface Start {
  /** What the stand-in was given, null when it was not started. */
  readonly told: string | null;
  readonly errors: string;
}

/** Starts with that binary, as a user who is not root, until it ends or says that the studio is in the browser. */
async function start(script: string): Promise<Start> {
  const folder = temporaryFolder();
  const told = join(folder, 'told');
  writeFileSync(join(folder, 'electron'), `#!/bin/sh\necho "$@" > '${told}'\n${script}\n`, { mode: 0o755 });
  const env = {
    ...process.env,
    ELECTRON_OVERRIDE_DIST_PATH: folder,
    DISPLAY: ':99',
    HONE_LIBRARY: join(folder, 'library'),
    // No browser is opened.
    PATH: join(folder, 'no-programs'),
  };
  const notRoot = 'data:text/javascript,process.getuid=()=>1000';
  const child = spawn(process.execPath, ['--import', notRoot, 'native-workers/cli/start.ts'], { cwd: ROOT, env });
  let errors = '';
  child.stderr.on('data', (piece: Buffer) => {
    errors += piece.toString();
  });
  // The address comes on standard output when the browser host listens.
  child.stdout.once('data', () => child.kill('SIGINT'));
  await new Promise((done) => child.once('close', done));
  return { told: existsSync(told) ? readFileSync(told, 'utf8').trim() : null, errors };
}

describe.skipIf(process.platform !== 'linux')('npm start', () => {
  it('builds what is stale, opens the checkout in Electron, and waits for its end', async () => {
    const { told, errors } = await start('exit 0');
    expect(told).toBe(ROOT);
    expect(errors).not.toContain('in the browser');
    for (const file of ['electron/main.js', 'electron/preload.cjs', 'worker/main.js', 'renderer/index.html']) {
      expect(existsSync(join(ROOT, 'dist', file)), file).toBe(true);
    }
  });

  it('goes to the browser when Electron ends before it opened, and says so', async () => {
    const { told, errors } = await start('exit 3');
    expect(told).toBe(ROOT);
    expect(errors).toContain('The studio opens in the browser, not in Electron: it ended with 3 before it opened.');
  });
});
