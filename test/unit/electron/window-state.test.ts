/** The window opens where it was, unless that is nowhere. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BrowserWindow } from 'electron';
import { describe, expect, it } from 'vitest';
import { keepWindowState, readWindowState } from '../../../electron/window-state.ts';
import { BrowserWindow as FakeWindow } from '../../helpers/fake-electron.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

const DISPLAYS = [
  { x: 0, y: 0, width: 1920, height: 1080 },
  { x: 1920, y: 0, width: 1280, height: 1024 },
];
const DEFAULT = { bounds: { width: 1280, height: 800 }, maximized: false };

function read(text: string): unknown {
  const file = join(temporaryFolder(), 'window.json');
  writeFileSync(file, text);
  return readWindowState(file, DISPLAYS);
}

const at = (x: number, y: number, width = 1000, height = 700): string =>
  JSON.stringify({ bounds: { x, y, width, height }, maximized: true });

describe('the state of the window', () => {
  it('is kept when it closes and read at the next start', () => {
    const file = join(temporaryFolder(), 'window.json');
    const window = new FakeWindow({});
    keepWindowState(window as unknown as BrowserWindow, file);
    window.isMaximized.mockReturnValue(true);
    window.emit('close');
    const bounds = { x: 10, y: 20, width: 1000, height: 700 };
    expect(readWindowState(file, DISPLAYS)).toEqual({ bounds, maximized: true });
  });

  it('may be on any display', () => {
    expect(read(at(2000, 50))).toMatchObject({ bounds: { x: 2000 } });
  });

  it('is the default when there is none', () => {
    expect(readWindowState(join(temporaryFolder(), 'none.json'), DISPLAYS)).toEqual(DEFAULT);
  });

  it.each([
    '',
    'not json',
    '{}',
    at(1.5, 0),
    at(0, 0, 0, 700),
    '{"bounds":{"x":0,"y":0,"width":1e999,"height":700},"maximized":false}',
    at(5000, 0),
    at(-950, 0),
    at(0, 1050),
    at(0, -300),
  ])('is the default when the file holds %s', (text) => {
    expect(read(text)).toEqual(DEFAULT);
  });

  it('that cannot be written is no failure', () => {
    const window = new FakeWindow({});
    keepWindowState(window as unknown as BrowserWindow, join(temporaryFolder(), 'no', 'folder.json'));
    expect(() => window.emit('close')).not.toThrow();
  });
});
