/** The app ends after its runs, and asks before it ends them. */
import type { App } from 'electron';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { quitInOrder } from '../../../electron/quit.ts';
import type { ActiveRun } from '../../../native-workers/host/run.ts';
import { app, dialog, resetElectron } from '../../helpers/fake-electron.ts';

beforeEach(resetElectron);

function quitting(runs: number) {
  const close = vi.fn(async () => undefined);
  const stay = vi.fn();
  quitInOrder(app as unknown as App, { activeRuns: () => new Array<ActiveRun>(runs), close }, stay);
  const preventDefault = vi.fn();
  const quit = (): void => void app.emit('before-quit', { preventDefault });
  return { close, preventDefault, quit, stay };
}

describe('quitting', () => {
  it('waits until the workspace is closed, and then goes', async () => {
    const { close, preventDefault, quit } = quitting(0);
    quit();
    quit();
    expect(preventDefault).toHaveBeenCalledTimes(2);
    expect(close).toHaveBeenCalledOnce();
    await vi.waitFor(() => expect(app.quit).toHaveBeenCalledOnce());
    quit();
    expect(preventDefault).toHaveBeenCalledTimes(2);
    expect(dialog.showMessageBoxSync).not.toHaveBeenCalled();
  });

  it('asks while runs go on, and stays when told to', async () => {
    const { close, preventDefault, quit, stay } = quitting(2);
    dialog.showMessageBoxSync.mockReturnValueOnce(1);
    quit();
    expect(preventDefault).toHaveBeenCalledOnce();
    expect(close).not.toHaveBeenCalled();
    expect(stay).toHaveBeenCalledOnce();
    quit();
    await vi.waitFor(() => expect(app.quit).toHaveBeenCalledOnce());
    expect(dialog.showMessageBoxSync).toHaveBeenCalledTimes(2);
  });

  it('goes even when the workspace could not be closed', async () => {
    const { close, quit } = quitting(0);
    close.mockRejectedValueOnce(new Error('a disk is gone'));
    quit();
    await vi.waitFor(() => expect(app.quit).toHaveBeenCalledOnce());
  });
});
