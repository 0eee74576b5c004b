import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Grants } from '../../../native-workers/host/grants.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

describe('grants', () => {
  it('stand for a path without telling it', async () => {
    const folder = temporaryFolder();
    const file = join(folder, 'model.onnx');
    writeFileSync(file, 'four');
    const grants = new Grants();
    const grant = await grants.grant(file);
    expect(grant).toEqual({ id: expect.any(String), name: 'model.onnx', kind: 'file', bytes: 4 });
    expect(JSON.stringify(grant)).not.toContain(folder);
    expect(grants.path(grant.id)).toBe(file);
    expect((await grants.grant(file)).id).toBe(grant.id);
  });

  it('know folders from files', async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'images'));
    expect(await new Grants().grant(join(folder, 'images'))).toMatchObject({
      name: 'images',
      kind: 'folder',
      bytes: null,
    });
  });

  it('are refused for what is not there, and for ids that were never given', async () => {
    const grants = new Grants();
    await expect(grants.grant(join(temporaryFolder(), 'no.onnx'))).rejects.toMatchObject({ code: 'file-missing' });
    expect(() => grants.path('../../etc/passwd')).toThrow(expect.objectContaining({ code: 'file-not-granted' }));
    const other = await new Grants().grant(temporaryFolder());
    expect(() => grants.path(other.id)).toThrow(expect.objectContaining({ code: 'file-not-granted' }));
  });
});
