/** Ending a process together with all that it started, and ending all of them when this process ends. */
import { type ChildProcess, spawn } from 'node:child_process';

/** Options of `spawn` that make `killTree` possible: a group of its own, where the system has groups. */
export const TREE_OPTIONS = { detached: process.platform !== 'win32', windowsHide: true } as const;

const alive = new Set<ChildProcess>();

/** Sees to it that the process does not outlive this one. */
export function ownProcess(child: ChildProcess): void {
  if (alive.size === 0) process.on('exit', killAll);
  alive.add(child);
  const forget = (): void => {
    alive.delete(child);
    if (alive.size === 0) process.off('exit', killAll);
  };
  child.once('exit', forget);
  child.once('error', () => {
    if (child.pid === undefined) forget();
  });
}

/** SIGKILL, so that a process in a native call ends too. Also right after its leader is dead: it ends what that left behind. */
export function killTree(child: ChildProcess): void {
  if (child.pid === undefined) return;
  if (process.platform === 'win32') {
    spawn('taskkill', ['/pid', String(child.pid), '/T', '/F'], { stdio: 'ignore', windowsHide: true })
      .on('error', () => child.kill('SIGKILL'))
      .unref();
    return;
  }
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // No process of the group is left.
  }
}

function killAll(): void {
  for (const child of alive) {
    if (process.platform === 'win32') child.kill('SIGKILL');
    else killTree(child);
  }
}
