/** One studio with real workers and a library of its own for all tests of a block, watched: its tests build on each other. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { openStudio, type StudioHost, type StudioPage } from './studio.ts';

export interface ServedStudio {
  readonly studio: StudioPage;
  /** Removed at the end; `library` in it is the studio's. */
  readonly folder: string;
}

export function servedStudio(host: StudioHost): ServedStudio {
  let studio: StudioPage | undefined;
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hone-e2e-'));
    studio = await openStudio(host, { library: join(folder, 'library') });
  });
  afterEach(() => {
    expect(studio?.troubles).toEqual([]);
  });
  afterAll(async () => {
    await studio?.close();
    await rm(folder, { recursive: true, force: true });
  });
  return {
    get studio() {
      if (studio === undefined) throw new Error('the studio is open only while tests run');
      return studio;
    },
    get folder() {
      return folder;
    },
  };
}
