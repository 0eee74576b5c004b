/** Keys that work anywhere. Those without Ctrl are left alone while the user types or a dialog is open. */
import { useEffect } from 'react';
import { pickAndTake } from '../../stores/intake.ts';
import { navigate } from '../../stores/navigation.ts';
import { setTheme, type Theme, usePreferences } from '../../stores/preferences.ts';
import { useSession } from '../../stores/session.ts';

export const SEARCH_FIELD = 'library-search';
export const RUN_BUTTON = 'start-run';

const NEXT_THEME: Record<Theme, Theme> = { system: 'light', light: 'dark', dark: 'system' };

export function useKeys(onHelp: () => void): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.defaultPrevented || useSession.getState().status !== 'ready' || inDialog()) return;
      const action =
        event.ctrlKey || event.metaKey ? withControl(event) : isTyping(event) ? null : alone(event, onHelp);
      if (action === null) return;
      event.preventDefault();
      action();
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, [onHelp]);
}

function withControl(event: KeyboardEvent): (() => void) | null {
  if (event.key === 'o') return () => void pickAndTake('model');
  if (event.key === 'Enter') return () => document.getElementById(RUN_BUTTON)?.click();
  return null;
}

function alone(event: KeyboardEvent, onHelp: () => void): (() => void) | null {
  if (event.altKey) return null;
  switch (event.key) {
    case '?':
      return onHelp;
    case 'n':
      return () => navigate({ screen: 'new', tab: 'model' });
    case 'l':
      return () => navigate({ screen: 'library' });
    case 't':
      return () => setTheme(NEXT_THEME[usePreferences.getState().theme]);
    case '/':
      return () => {
        navigate({ screen: 'library' });
        // The field may only be there after the screen has changed.
        requestAnimationFrame(() => document.getElementById(SEARCH_FIELD)?.focus());
      };
    default:
      return null;
  }
}

function isTyping(event: KeyboardEvent): boolean {
  return event.target instanceof HTMLElement && event.target.matches('input, textarea, select, [contenteditable]');
}

function inDialog(): boolean {
  return document.querySelector('[role="dialog"], [role="alertdialog"], [role="menu"], [role="listbox"]') !== null;
}
