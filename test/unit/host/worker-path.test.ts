import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findWorker } from '../../../native-workers/host/worker-path.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

describe('findWorker', () => {
  it('finds this Node and the sources in a checkout', () => {
    const { node, entry } = findWorker();
    expect(node).toBe(process.execPath);
    expect(entry).toMatch(/native-workers[\\/]worker[\\/]main\.ts$/);
    expect(existsSync(entry)).toBe(true);
  });

  it('does not take the binary of Electron for Node', () => {
    const versions = process.versions;
    Object.defineProperty(process, 'versions', { value: { ...versions, electron: '45.0.0' }, configurable: true });
    try {
      const { node } = findWorker();
      expect(node).toMatch(/node_modules[\\/]node-[a-z0-9-]+[\\/]bin[\\/]node(\.exe)?$/);
      expect(existsSync(node)).toBe(true);
    } finally {
      Object.defineProperty(process, 'versions', { value: versions, configurable: true });
    }
  });

  it('finds what the packaged app brings along, or says what is missing', () => {
    const resources = temporaryFolder();
    expect(() => findWorker({ resources })).toThrow(expect.objectContaining({ code: 'worker-start-failed' }));
    const binary = process.platform === 'win32' ? 'node.exe' : 'node';
    for (const folder of ['node', 'worker']) mkdirSync(join(resources, folder));
    writeFileSync(join(resources, 'node', binary), '');
    writeFileSync(join(resources, 'worker', 'main.js'), '');
    expect(findWorker({ resources })).toEqual({
      node: join(resources, 'node', binary),
      entry: join(resources, 'worker', 'main.js'),
    });
  });
});
