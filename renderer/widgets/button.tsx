/** Buttons in three weights: `primary` for the one thing to do, `plain` for the rest, `quiet` inside rows and bars. */
import type { LucideIcon } from 'lucide-react';
import type { ComponentProps } from 'react';

export type ButtonProps = ComponentProps<'button'> & {
  readonly weight?: 'primary' | 'plain' | 'quiet' | 'danger';
  readonly icon?: LucideIcon;
};

export function Button({ weight = 'plain', icon: Icon, className, children, ...rest }: ButtonProps) {
  return (
    <button type="button" className={`button button-${weight} ${className ?? ''}`} {...rest}>
      {Icon === undefined ? null : <Icon className="icon" aria-hidden />}
      {children}
    </button>
  );
}

export type IconButtonProps = Omit<ComponentProps<'button'>, 'children'> & {
  readonly icon: LucideIcon;
  /** Read by screen readers, and shown as a tooltip. */
  readonly label: string;
};

export function IconButton({ icon: Icon, label, className, ...rest }: IconButtonProps) {
  return (
    <button type="button" className={`icon-button ${className ?? ''}`} aria-label={label} title={label} {...rest}>
      <Icon className="icon" aria-hidden />
    </button>
  );
}
