/** The one window: its options, when it is shown, and what happens when its page dies. */
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { WEB_PREFERENCES } from '../../../electron/security.ts';
import { openWindow, showWindow } from '../../../electron/window.ts';
import { app, nativeTheme, resetElectron, theWindow } from '../../helpers/fake-electron.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

beforeEach(() => {
  resetElectron();
  app.paths['userData'] = temporaryFolder();
});

describe('the window', () => {
  it('shows the studio, isolated, with the preload and nothing else', () => {
    openWindow();
    const { options, loadURL } = theWindow();
    expect(options.webPreferences).toEqual({
      ...WEB_PREFERENCES,
      preload: expect.stringMatching(/electron[\\/]preload\.cjs$/),
    });
    expect(loadURL.mock.calls).toEqual([['app://studio/']]);
  });

  it('appears when there is something to see, in the colours of the system', () => {
    nativeTheme.shouldUseDarkColors = true;
    openWindow();
    nativeTheme.shouldUseDarkColors = false;
    const dark = theWindow();
    expect(dark.options.show).toBe(false);
    expect(dark.show).not.toHaveBeenCalled();
    dark.emit('ready-to-show');
    expect(dark.show).toHaveBeenCalledOnce();
    expect(dark.maximize).not.toHaveBeenCalled();
    openWindow();
    expect(theWindow().options.backgroundColor).not.toBe(dark.options.backgroundColor);
  });

  it('opens as it was closed', () => {
    openWindow();
    theWindow().isMaximized.mockReturnValue(true);
    theWindow().emit('close');
    openWindow();
    expect(theWindow().options).toMatchObject({ x: 10, y: 20, width: 1000, height: 700 });
    theWindow().emit('ready-to-show');
    expect(theWindow().maximize).toHaveBeenCalledOnce();
    expect(app.getPath).toHaveBeenCalledWith('userData');
    expect(join(app.paths['userData'] ?? '')).not.toBe('');
  });

  it('loads its page again when that has crashed, and not when it has ended', () => {
    openWindow();
    const { webContents } = theWindow();
    webContents.emit('render-process-gone', {}, { reason: 'clean-exit' });
    expect(webContents.reload).not.toHaveBeenCalled();
    webContents.emit('render-process-gone', {}, { reason: 'oom' });
    expect(webContents.reload).toHaveBeenCalledOnce();
  });

  it('comes to the front', () => {
    const window = openWindow();
    theWindow().isMinimized.mockReturnValue(true);
    showWindow(window);
    expect(theWindow().restore).toHaveBeenCalledOnce();
    expect(theWindow().focus).toHaveBeenCalledOnce();
  });
});
