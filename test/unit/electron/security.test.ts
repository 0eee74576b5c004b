/** Pages may show the studio and nothing else. */
import type { Session, WebContents } from 'electron';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import {
  isAllowedOutside,
  openOutside,
  restrictContents,
  restrictSession,
  WEB_PREFERENCES,
} from '../../../electron/security.ts';
import { FakeContents, FakeSession, resetElectron, shell } from '../../helpers/fake-electron.ts';

beforeEach(resetElectron);

function restricted(developer = false): FakeSession {
  const session = new FakeSession();
  restrictSession(session as unknown as Session, developer);
  return session;
}

function page(): FakeContents {
  const contents = new FakeContents();
  restrictContents(contents as unknown as WebContents);
  return contents;
}

describe('preferences', () => {
  it('isolate the page', () => {
    expect(WEB_PREFERENCES).toMatchObject({
      contextIsolation: true,
      sandbox: true,
      nodeIntegration: false,
      nodeIntegrationInWorker: false,
      nodeIntegrationInSubFrames: false,
      webviewTag: false,
      webSecurity: true,
      allowRunningInsecureContent: false,
    });
  });
});

describe('a session', () => {
  it('gives no permission, which Electron would', () => {
    const session = restricted();
    const answer = vi.fn();
    session.setPermissionRequestHandler.mock.calls[0]?.[0](null, 'media', answer);
    expect(answer.mock.calls).toEqual([[false]]);
    expect(session.setPermissionCheckHandler.mock.calls[0]?.[0](null, 'media', 'app://studio')).toBe(false);
    expect(session.setDevicePermissionHandler.mock.calls[0]?.[0]({ deviceType: 'usb' })).toBe(false);
  });

  it('saves no downloads and fetches no dictionaries', () => {
    const session = restricted();
    const event = { preventDefault: vi.fn() };
    session.events.emit('will-download', event);
    expect(event.preventDefault).toHaveBeenCalledOnce();
    expect(session.setSpellCheckerEnabled).toHaveBeenCalledWith(false);
  });

  it.each([
    ['app://studio/assets/a.js', true, true],
    ['data:image/png;base64,AAAA', true, true],
    ['app://other/', false, false],
    ['https://example.invalid/', false, false],
    ['http://127.0.0.1:8080/', false, false],
    ['http://example.invalid/?next=app://studio/', false, false],
    ['ws://127.0.0.1/', false, false],
    ['file:///etc/passwd', false, false],
    ['devtools://devtools/bundled/index.html', false, true],
    ['chrome-extension://abc/a.js', false, false],
    ['', false, false],
  ])('lets a request for %s through: %s, and in development: %s', (url, released, developing) => {
    for (const [developer, expected] of [
      [false, released],
      [true, developing],
    ] as const) {
      const callback = vi.fn();
      restricted(developer).webRequest.onBeforeRequest.mock.calls[0]?.[0]({ url }, callback);
      expect(callback.mock.calls).toEqual([[{ cancel: !expected }]]);
    }
  });
});

describe('a page', () => {
  it.each(['will-navigate', 'will-redirect', 'will-frame-navigate'])('stays on the studio at %s', (type) => {
    const contents = page();
    const prevented = (url: string): boolean => {
      const preventDefault = vi.fn();
      contents.emit(type, { url, preventDefault });
      return preventDefault.mock.calls.length === 1;
    };
    for (const url of [
      'http://example.invalid/?next=app://studio',
      'https://onnxruntime.ai/',
      'app://other/',
      'app://studio.example.invalid/',
      'file:///model.onnx',
      'data:text/html,hello',
      'javascript:alert(1)',
      'not an address',
    ]) {
      expect(prevented(url), url).toBe(true);
    }
    expect(prevented('app://studio/')).toBe(false);
  });

  it('holds no other page', () => {
    const event = { preventDefault: vi.fn() };
    page().emit('will-attach-webview', event);
    expect(event.preventDefault).toHaveBeenCalledOnce();
  });

  it('opens no window, and outside only what is allowed', () => {
    const handler = page().setWindowOpenHandler.mock.calls[0]?.[0] as (details: { url: string }) => unknown;
    expect(handler({ url: 'app://studio/' })).toEqual({ action: 'deny' });
    expect(handler({ url: 'https://example.invalid/' })).toEqual({ action: 'deny' });
    expect(shell.openExternal).not.toHaveBeenCalled();
    expect(handler({ url: 'https://onnxruntime.ai/docs/' })).toEqual({ action: 'deny' });
    expect(shell.openExternal.mock.calls).toEqual([['https://onnxruntime.ai/docs/']]);
  });
});

describe('outside', () => {
  it.each([
    'http://onnxruntime.ai/',
    'https://onnxruntime.ai.example.invalid/',
    'https://example.invalid/onnxruntime.ai',
    'https://onnxruntime.ai@example.invalid/',
    'https://user:secret@onnxruntime.ai/',
    'https://onnxruntime.ai:8443/',
    'https://evil-onnxruntime.ai/',
    'file:///etc/passwd',
    'javascript:alert(1)',
    'ms-settings:privacy',
    'app://studio/',
    '',
  ])('%s is not opened', async (address) => {
    expect(isAllowedOutside(address)).toBe(false);
    await openOutside(address);
    expect(shell.openExternal).not.toHaveBeenCalled();
  });
});
