/** What the user prefers on this machine; kept in the browser's local storage, which may refuse. */
import { create } from 'zustand';

export type Theme = 'system' | 'light' | 'dark';
const THEMES: readonly Theme[] = ['system', 'light', 'dark'];
const THEME_KEY = 'hone.theme';

export const usePreferences = create<{ readonly theme: Theme }>(() => ({ theme: 'system' }));

export function startPreferences(): void {
  applyTheme(THEMES.find((theme) => theme === read(THEME_KEY)) ?? 'system');
}

export function setTheme(theme: Theme): void {
  applyTheme(theme);
  try {
    localStorage.setItem(THEME_KEY, theme);
  } catch {
    // It holds until the window closes.
  }
}

function applyTheme(theme: Theme): void {
  if (theme === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = theme;
  usePreferences.setState({ theme });
}

function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}
