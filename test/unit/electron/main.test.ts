/** What main does before the app is ready, for the first instance and for a second one. */
import { beforeEach, describe, expect, it, vi } from 'vitest';

const startStudio = vi.fn(async (..._args: unknown[]) => undefined);
const failToStart = vi.fn();

beforeEach(() => {
  vi.clearAllMocks();
  vi.resetModules();
  vi.doMock('../../../electron/studio.ts', () => ({ startStudio, failToStart }));
  vi.doMock('../../../electron/resources.ts', () => ({ findParts: async () => 'the parts' }));
});

/** Loads main anew, and the fake with it. */
async function main(prepare: (fake: typeof import('../../helpers/fake-electron.ts')) => void = () => undefined) {
  const fake = await import('../../helpers/fake-electron.ts');
  prepare(fake);
  await import('../../../electron/main.ts');
  return fake;
}

describe('main', () => {
  it('registers the scheme and sandboxes every page before the app is ready', async () => {
    const order: string[] = [];
    await main(({ app, protocol }) => {
      protocol.registerSchemesAsPrivileged.mockImplementation(() => order.push('scheme'));
      app.enableSandbox.mockImplementation(() => order.push('sandbox'));
      app.whenReady.mockImplementation(async () => {
        order.push('ready');
        return undefined;
      });
    });
    expect(order).toEqual(['sandbox', 'scheme', 'ready']);
    await vi.waitFor(() => expect(startStudio).toHaveBeenCalledWith('the parts', expect.anything()));
  });

  it('looks up no names, and keeps the files of Chromium out of the library', async () => {
    const { app } = await main();
    expect(app.commandLine.appendSwitch.mock.calls).toEqual([['host-resolver-rules', 'MAP * ~NOTFOUND']]);
    expect(app.paths['userData']).toMatch(/app-data[\\/]hone-studio$/);
  });

  it('leaves the folder of Chromium where the command line put it', async () => {
    const { app } = await main((fake) => fake.app.commandLine.hasSwitch.mockReturnValue(true));
    expect(app.setPath).not.toHaveBeenCalled();
  });

  it('restricts every page that is made', async () => {
    const { app, FakeContents } = await main();
    const contents = new FakeContents();
    app.emit('web-contents-created', {}, contents);
    expect(contents.setWindowOpenHandler).toHaveBeenCalledOnce();
    expect(contents.listenerCount('will-navigate')).toBe(1);
  });

  it('takes the files of macOS and of a second start', async () => {
    const { app } = await main();
    await vi.waitFor(() => expect(startStudio).toHaveBeenCalled());
    const files = startStudio.mock.calls[0]?.[1] as import('../../../electron/open-files.ts').OpenFiles;
    const opened: string[] = [];
    files.pageReady((path) => opened.push(path));
    const event = { preventDefault: vi.fn() };
    app.emit('open-file', event, '/models/a.onnx');
    expect(event.preventDefault).toHaveBeenCalledOnce();
    app.emit('second-instance', {}, ['/electron', '.', import.meta.filename], import.meta.dirname);
    expect(opened).toEqual(['/models/a.onnx', import.meta.filename]);
  });

  it('leaves everything to the first instance', async () => {
    const { app } = await main((fake) => fake.app.requestSingleInstanceLock.mockReturnValue(false));
    expect(app.quit).toHaveBeenCalledOnce();
    await Promise.resolve();
    expect(startStudio).not.toHaveBeenCalled();
  });

  it('says why it cannot start', async () => {
    const failure = new Error('no library');
    startStudio.mockRejectedValueOnce(failure);
    await main();
    await vi.waitFor(() => expect(failToStart.mock.calls).toEqual([[failure]]));
  });

  it('ends with its last window, but not on macOS', async () => {
    const { app } = await main();
    const platform = Object.getOwnPropertyDescriptor(process, 'platform');
    for (const [name, quits] of [
      ['darwin', 0],
      ['linux', 1],
      ['win32', 2],
    ] as const) {
      Object.defineProperty(process, 'platform', { ...platform, value: name });
      app.emit('window-all-closed');
      if (platform !== undefined) Object.defineProperty(process, 'platform', platform);
      expect(app.quit).toHaveBeenCalledTimes(quits);
    }
  });
});
