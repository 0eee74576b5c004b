/** What can be done with one thing: a button with three dots and its menu. */
import { Menu } from '@base-ui/react/menu';
import { Ellipsis, type LucideIcon } from 'lucide-react';
import type { ReactElement } from 'react';

export interface MenuEntry {
  readonly label: string;
  readonly icon: LucideIcon;
  readonly onSelect: () => void;
  readonly disabled?: boolean;
  readonly danger?: boolean;
}

export interface RowMenuProps {
  readonly label: string;
  readonly entries: readonly MenuEntry[];
  /** The button; three dots unless given. */
  readonly trigger?: ReactElement;
  readonly tabIndex?: number;
}

export function RowMenu({ label, entries, trigger, tabIndex }: RowMenuProps) {
  return (
    <Menu.Root modal={false}>
      {trigger === undefined ? (
        <Menu.Trigger className="icon-button" aria-label={label} title={label} tabIndex={tabIndex}>
          <Ellipsis className="icon" aria-hidden />
        </Menu.Trigger>
      ) : (
        <Menu.Trigger render={trigger} />
      )}
      <Menu.Portal>
        <Menu.Positioner className="floating" sideOffset={4} align="end">
          <Menu.Popup className="menu">
            {entries.map(({ label: text, icon: Icon, onSelect, disabled, danger }) => (
              <Menu.Item
                key={text}
                className={`menu-item ${danger === true ? 'menu-item-danger' : ''}`}
                disabled={disabled === true}
                onClick={onSelect}
              >
                <Icon className="icon menu-icon" aria-hidden />
                <span className="menu-text">{text}</span>
              </Menu.Item>
            ))}
          </Menu.Popup>
        </Menu.Positioner>
      </Menu.Portal>
    </Menu.Root>
  );
}
