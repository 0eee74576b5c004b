/** What is outside the archive is what was built, or the app does not start. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { recordResources } from '../../../electron/packaging/record-resources.ts';
import { checkResources, findParts } from '../../../electron/resources.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

function write(folder: string, files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

const CONFIG = {
  extraResources: [{ from: 'dist/worker', to: 'worker', filter: ['**/*'] }],
  linux: { extraResources: [{ from: 'bin/node', to: 'node/node' }] },
  mac: { extraResources: [{ from: 'bin/node', to: 'node/node' }] },
};

/** A project after its build, the record that packaging makes, and the resources as they are installed. */
async function packaged(platform = 'linux'): Promise<{ resources: string; hashes: string }> {
  const project = temporaryFolder();
  write(project, { 'dist/worker/main.js': 'start()', 'dist/electron/main.js': '', 'bin/node': 'binary' });
  await recordResources(CONFIG, platform, 'x64', project);
  const resources = temporaryFolder();
  write(resources, { 'worker/main.js': 'start()', 'node/node': 'binary', 'app.asar': 'whatever' });
  return { resources, hashes: join(project, 'dist/electron/resources.json') };
}

describe('resources', () => {
  it('are accepted as they were built', async () => {
    const { resources, hashes } = await packaged();
    await expect(checkResources(resources, hashes)).resolves.toBeUndefined();
  });

  it.each(['worker/main.js', 'node/node'])('are refused when %s was changed or is missing', async (path) => {
    const { resources, hashes } = await packaged();
    write(resources, { [path]: 'something else' });
    await expect(checkResources(resources, hashes)).rejects.toMatchObject({
      code: 'worker-start-failed',
      message: expect.stringContaining(`${path} of the app is not the file that was built`),
    });
    rmSync(join(resources, path));
    await expect(checkResources(resources, hashes)).rejects.toMatchObject({
      code: 'worker-start-failed',
      message: expect.stringContaining(`${path} of the app is missing`),
    });
  });

  it('are left to the signature of the app on macOS', async () => {
    const { resources, hashes } = await packaged('darwin');
    write(resources, { 'node/node': 'signed binary' });
    await expect(checkResources(resources, hashes)).resolves.toBeUndefined();
  });

  it('need their record', async () => {
    const { resources, hashes } = await packaged();
    rmSync(hashes);
    await expect(checkResources(resources, hashes)).rejects.toThrow();
    writeFileSync(hashes, '{"worker/main.js":"not a hash"}');
    await expect(checkResources(resources, hashes)).rejects.toThrow();
  });
});

describe('the parts of the app', () => {
  it('are those of the checkout when it is run from one', async () => {
    const { worker, reportView } = await findParts(false, '/not/used');
    expect(worker.entry).toMatch(/worker[\\/]main\.[jt]s$/);
    expect(reportView).toMatch(/dist[\\/]report-view$/);
  });

  it('are not taken from an app whose record is missing', async () => {
    await expect(findParts(true, temporaryFolder())).rejects.toThrow();
  });
});
