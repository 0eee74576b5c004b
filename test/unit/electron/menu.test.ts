/** The menu has what systems expect, opens files, and leaves developers' tools out of the packaged app. */
import type { MenuItemConstructorOptions } from 'electron';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { menuTemplate, setMenu } from '../../../electron/menu.ts';
import { Menu, resetElectron, shell } from '../../helpers/fake-electron.ts';

beforeEach(resetElectron);

const PLATFORMS = ['darwin', 'linux', 'win32'] as const;

function items(template: readonly MenuItemConstructorOptions[]): MenuItemConstructorOptions[] {
  return template.flatMap((item) => [item, ...(Array.isArray(item.submenu) ? items(item.submenu) : [])]);
}

const rolesOf = (platform: NodeJS.Platform, developer: boolean): unknown[] =>
  items(menuTemplate({ open: vi.fn() }, { platform, developer })).map((item) => item.role);

/** Clicks the item with that label. */
function click(template: readonly MenuItemConstructorOptions[], label: string): void {
  const item = items(template).find((each) => each.label === label);
  (item?.click as (() => void) | undefined)?.();
}

describe('the menu', () => {
  it.each(PLATFORMS)('of %s can quit, edit and show about', (platform) => {
    const roles = rolesOf(platform, false);
    expect(roles).toEqual(expect.arrayContaining(['editMenu', 'windowMenu', 'help', 'togglefullscreen']));
    expect(roles).toEqual(expect.arrayContaining(platform === 'darwin' ? ['appMenu', 'close'] : ['quit', 'about']));
  });

  it.each(PLATFORMS)('of %s has tools of developers only in a checkout', (platform) => {
    for (const role of ['reload', 'toggleDevTools']) {
      expect(rolesOf(platform, true)).toContain(role);
      expect(rolesOf(platform, false)).not.toContain(role);
    }
  });

  it('opens models and reports', () => {
    const open = vi.fn();
    const template = menuTemplate({ open }, { platform: 'linux', developer: false });
    click(template, 'Open Model…');
    click(template, 'Open Report…');
    expect(open.mock.calls).toEqual([['model'], ['report']]);
  });

  it('has help that the list of outside pages allows', () => {
    const template = menuTemplate({ open: vi.fn() }, { platform: 'linux', developer: false });
    click(template, 'ONNX Operators');
    click(template, 'ONNX Runtime');
    expect(shell.openExternal).toHaveBeenCalledTimes(2);
  });

  it('is set for the app', () => {
    setMenu({ open: vi.fn() }, { platform: 'linux', developer: false });
    expect(Menu.setApplicationMenu.mock.calls).toEqual([[Menu.buildFromTemplate.mock.results[0]?.value]]);
  });
});
