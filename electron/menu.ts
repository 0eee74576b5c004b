/** The menu of the window, and on macOS of the screen: what systems expect, and opening a model or a report. */
import { Menu, type MenuItemConstructorOptions } from 'electron';
import { openOutside } from './security.ts';

export interface MenuActions {
  open(kind: 'model' | 'report'): void;
}

export interface MenuOptions {
  readonly platform: NodeJS.Platform;
  /** Run from a checkout: the page can be loaded again and looked into. */
  readonly developer: boolean;
}

export function setMenu(actions: MenuActions, options: MenuOptions): void {
  Menu.setApplicationMenu(Menu.buildFromTemplate(menuTemplate(actions, options)));
}

export function menuTemplate(actions: MenuActions, { platform, developer }: MenuOptions): MenuItemConstructorOptions[] {
  const isMac = platform === 'darwin';
  const separator: MenuItemConstructorOptions = { type: 'separator' };
  const open: MenuItemConstructorOptions[] = [
    { label: 'Open Model…', accelerator: 'CmdOrCtrl+O', click: () => actions.open('model') },
    { label: 'Open Report…', accelerator: 'CmdOrCtrl+Shift+O', click: () => actions.open('report') },
  ];
  const zoom: MenuItemConstructorOptions[] = [{ role: 'resetZoom' }, { role: 'zoomIn' }, { role: 'zoomOut' }];
  return [
    ...(isMac ? [{ role: 'appMenu' } as const] : []),
    { label: 'File', submenu: [...open, separator, isMac ? { role: 'close' } : { role: 'quit' }] },
    { role: 'editMenu' },
    {
      label: 'View',
      submenu: [
        ...zoom,
        separator,
        { role: 'togglefullscreen' },
        ...(developer ? [separator, { role: 'reload' } as const, { role: 'toggleDevTools' } as const] : []),
      ],
    },
    { role: 'windowMenu' },
    {
      role: 'help',
      submenu: [
        { label: 'ONNX Operators', click: () => void openOutside('https://onnx.ai/onnx/operators/') },
        { label: 'ONNX Runtime', click: () => void openOutside('https://onnxruntime.ai/docs/') },
        ...(isMac ? [] : [separator, { role: 'about' } as const]),
      ],
    },
  ];
}
