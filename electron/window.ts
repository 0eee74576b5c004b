/** The studio's one window. */
import { join } from 'node:path';
import { app, BrowserWindow, nativeTheme, screen } from 'electron';
import { STUDIO_URL } from './app-protocol.ts';
import { WEB_PREFERENCES } from './security.ts';
import { keepWindowState, readWindowState } from './window-state.ts';

/** Of the page before its styles are there: `--ground` of the renderer's styles, light and dark. */
const GROUND = { light: '#f4f5f7', dark: '#14171b' };

export function openWindow(): BrowserWindow {
  const file = join(app.getPath('userData'), 'window.json');
  const { bounds, maximized } = readWindowState(
    file,
    screen.getAllDisplays().map((display) => display.workArea),
  );
  const window = new BrowserWindow({
    ...bounds,
    minWidth: 900,
    minHeight: 600,
    title: 'Hone',
    show: false,
    backgroundColor: nativeTheme.shouldUseDarkColors ? GROUND.dark : GROUND.light,
    webPreferences: { ...WEB_PREFERENCES, preload: join(import.meta.dirname, 'preload.cjs') },
  });
  keepWindowState(window, file);
  window.once('ready-to-show', () => {
    if (maximized) window.maximize();
    window.show();
  });
  // Runs go on in their own processes; only the page is lost, and reads everything again.
  window.webContents.on('render-process-gone', (_event, { reason }) => {
    if (reason !== 'clean-exit') window.webContents.reload();
  });
  // Rejects when the page is loaded again before it is there; what is really missing was found before there was a window.
  window.loadURL(STUDIO_URL).catch(() => undefined);
  return window;
}

/** Brings the window to the front. */
export function showWindow(window: BrowserWindow): void {
  if (window.isMinimized()) window.restore();
  window.show();
  window.focus();
}
