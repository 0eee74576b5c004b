/**
 * What pages may not do, which is nearly everything: the list of Electron's security guide
 * (electronjs.org/docs/latest/tutorial/security). A page shows the studio and calls `window.hone`; it needs no permission, no
 * network, no other page and no other window.
 */
import { type Session, shell, type WebContents, type WebPreferences } from 'electron';
import { isStudioUrl } from './app-protocol.ts';

/** Most of these are Electron's defaults; they are written out, so that a change of defaults changes nothing here. */
export const WEB_PREFERENCES = {
  contextIsolation: true,
  sandbox: true,
  nodeIntegration: false,
  nodeIntegrationInWorker: false,
  nodeIntegrationInSubFrames: false,
  webviewTag: false,
  webSecurity: true,
  allowRunningInsecureContent: false,
  navigateOnDragDrop: false,
  // It would download dictionaries.
  spellcheck: false,
} as const satisfies WebPreferences;

/** Hosts of documentation that links of the menu and of reports may open in the user's browser. */
const OUTSIDE_HOSTS: ReadonlySet<string> = new Set([
  'onnx.ai',
  'onnxruntime.ai',
  'ai.google.dev',
  'developer.apple.com',
]);

/** No permissions, no devices, no downloads, no network. `developer`: Electron's own developer tools may load. */
export function restrictSession(session: Session, developer: boolean): void {
  session.setPermissionRequestHandler((_contents, _permission, callback) => callback(false));
  session.setPermissionCheckHandler(() => false);
  session.setDevicePermissionHandler(() => false);
  session.on('will-download', (event) => event.preventDefault());
  session.setSpellCheckerEnabled(false);
  session.webRequest.onBeforeRequest(({ url }, callback) => callback({ cancel: !isAllowedRequest(url, developer) }));
}

function isAllowedRequest(address: string, developer: boolean): boolean {
  const scheme = URL.parse(address)?.protocol;
  // Pictures in texts of the studio: nothing is fetched, and the content security policy allows them for pictures only.
  return isStudioUrl(address) || scheme === 'data:' || (developer && scheme === 'devtools:');
}

/** Keeps a page on the studio. Call it for every page that the app creates, whatever created it. */
export function restrictContents(contents: WebContents): void {
  const stay = (details: { url: string; preventDefault(): void }): void => {
    // A page may load itself again.
    if (!isStudioUrl(details.url)) details.preventDefault();
  };
  contents.on('will-navigate', stay);
  contents.on('will-redirect', stay);
  contents.on('will-frame-navigate', stay);
  contents.on('will-attach-webview', (event) => event.preventDefault());
  contents.setWindowOpenHandler(({ url }) => {
    void openOutside(url);
    return { action: 'deny' };
  });
}

/** Opens a page of documentation in the user's browser; does nothing for any other address. */
export async function openOutside(address: string): Promise<void> {
  if (isAllowedOutside(address)) await shell.openExternal(new URL(address).href);
}

export function isAllowedOutside(address: string): boolean {
  const url = URL.parse(address);
  return (
    url !== null &&
    url.protocol === 'https:' &&
    OUTSIDE_HOSTS.has(url.hostname) &&
    url.port === '' &&
    url.username === '' &&
    url.password === ''
  );
}
