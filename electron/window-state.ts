/** Where the window was, for the next start. A file that is not there, damaged or of a display that is gone is the default. */
import { readFileSync, writeFileSync } from 'node:fs';
import type { BrowserWindow, Rectangle } from 'electron';
import { z } from 'zod';

const rectangleSchema = z.strictObject({ x: z.int(), y: z.int(), width: z.int().min(1), height: z.int().min(1) });
const windowStateSchema = z.strictObject({ bounds: rectangleSchema, maximized: z.boolean() });

export interface WindowState {
  /** Without x and y the system places the window. */
  readonly bounds: { readonly width: number; readonly height: number; readonly x?: number; readonly y?: number };
  readonly maximized: boolean;
}

const DEFAULT: WindowState = { bounds: { width: 1280, height: 800 }, maximized: false };
/** In pixels: so much of the window must be on a display for the user to get hold of it. */
const VISIBLE = 100;

/** `displays`: the work areas of the displays that are there now. */
export function readWindowState(file: string, displays: readonly Rectangle[]): WindowState {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return DEFAULT;
  }
  const state = windowStateSchema.safeParse(parse(text));
  if (!state.success) return DEFAULT;
  return displays.some((display) => isReachable(state.data.bounds, display)) ? state.data : DEFAULT;
}

/** Writes where the window is when it closes. */
export function keepWindowState(window: BrowserWindow, file: string): void {
  window.on('close', () => {
    const state = { bounds: window.getNormalBounds(), maximized: window.isMaximized() };
    try {
      writeFileSync(file, JSON.stringify(state));
    } catch {
      // The next window opens where the system puts it.
    }
  });
}

function isReachable(window: Rectangle, display: Rectangle): boolean {
  const width = Math.min(window.x + window.width, display.x + display.width) - Math.max(window.x, display.x);
  const height = Math.min(window.y + window.height, display.y + display.height) - Math.max(window.y, display.y);
  // The title bar is at the top: it must not be above the display.
  return width >= VISIBLE && height >= VISIBLE && window.y >= display.y - VISIBLE / 2;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
