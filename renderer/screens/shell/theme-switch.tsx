/** System, light or dark. */
import { Toggle } from '@base-ui/react/toggle';
import { ToggleGroup } from '@base-ui/react/toggle-group';
import { Monitor, Moon, Sun } from 'lucide-react';
import { setTheme, type Theme, usePreferences } from '../../stores/preferences.ts';
import { SHELL } from '../../text/shell.ts';

const CHOICES = [
  { theme: 'system', icon: Monitor },
  { theme: 'light', icon: Sun },
  { theme: 'dark', icon: Moon },
] as const;

export function ThemeSwitch() {
  const theme = usePreferences((preferences) => preferences.theme);
  return (
    <ToggleGroup
      className="toggles"
      aria-label={SHELL.theme.label}
      value={[theme]}
      onValueChange={([next]: Theme[]) => {
        if (next !== undefined) setTheme(next);
      }}
    >
      {CHOICES.map(({ theme: choice, icon: Icon }) => (
        <Toggle
          key={choice}
          value={choice}
          className="icon-button toggle"
          aria-label={SHELL.theme[choice]}
          title={SHELL.theme[choice]}
        >
          <Icon className="icon" aria-hidden />
        </Toggle>
      ))}
    </ToggleGroup>
  );
}
