/**
 * The inbox of the browser host holds copies of models and data, which can be large. A drop that no run works with is only of
 * use to the page that made it; after some days it is removed. Those of runs stay, so that the runs can be resumed.
 */
import { readdir, rm, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { Workspace } from './workspace.ts';

/** A page may be open for days. */
const KEPT_MS = 7 * 24 * 3600 * 1000;

export function inboxFolder(workspace: Workspace): string {
  return join(workspace.folder, 'inbox');
}

/** Removes the drops that are old and that no run of the library names. */
export async function cleanInbox(workspace: Workspace, now = Date.now()): Promise<void> {
  const inbox = inboxFolder(workspace);
  const drops = await readdir(inbox).catch(() => []);
  if (drops.length === 0) return;
  const used = await namedByRuns(workspace);
  for (const drop of drops) {
    const folder = join(inbox, drop);
    const facts = await stat(folder).catch(() => null);
    if (facts === null || now - facts.mtimeMs < KEPT_MS || used.includes(JSON.stringify(folder + sep).slice(1, -1)))
      continue;
    await rm(folder, { recursive: true, force: true });
  }
}

/** All manifests as one text: a path may stand in any field of a request. */
async function namedByRuns(workspace: Workspace): Promise<string> {
  const texts: string[] = [];
  for (const { id } of await workspace.listRuns()) {
    const opened = await workspace.openRun(id).catch(() => null);
    texts.push(JSON.stringify(opened?.manifest ?? null));
  }
  return texts.join('\n');
}
