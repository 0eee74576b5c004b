/** The real Electron, where this machine has one and something to show it on. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { _electron, type ElectronApplication } from 'playwright-core';
import { findElectron, hasDisplay } from '../../native-workers/host/desktop.ts';

const ROOT = join(import.meta.dirname, '../..');

/** Why Electron cannot be driven here, or null. */
export function electronObstacle(): string | null {
  if (findElectron() === null) {
    return 'its binary is not installed (node node_modules/electron/install.js downloads it; ELECTRON_OVERRIDE_DIST_PATH names another)';
  }
  return hasDisplay() ? null : 'there is no display (on Linux, xvfb-run gives one)';
}

export interface LaunchOptions {
  readonly library: string;
  /** Folder of Chromium's files; one of its own unless said. Instances that share it are one app. */
  readonly userData?: string;
  readonly args?: readonly string[];
}

/** Starts the built app from the checkout. Needs `node build.ts`. */
export async function launchElectron(options: LaunchOptions): Promise<ElectronApplication> {
  const executablePath = findElectron();
  if (executablePath === null) throw new Error(`Electron cannot be started: ${electronObstacle()}.`);
  return _electron.launch({ executablePath, args: electronArguments(options), env: environment(options.library) });
}

export function electronArguments({ userData, args = [] }: LaunchOptions): string[] {
  const folder = userData ?? mkdtempSync(join(tmpdir(), 'hone-electron-'));
  // Containers and root cannot have Chromium's sandbox.
  return ['--no-sandbox', `--user-data-dir=${folder}`, ROOT, ...args];
}

export function environment(library: string): Record<string, string> {
  const defined = Object.entries(process.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
  return { ...Object.fromEntries(defined), HONE_LIBRARY: library };
}
