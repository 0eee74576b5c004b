/** Form fields: a label, a control, what it means and what is wrong with it, tied together for screen readers. */
import { Checkbox } from '@base-ui/react/checkbox';
import { Field } from '@base-ui/react/field';
import { Select } from '@base-ui/react/select';
import { Check, ChevronsUpDown } from 'lucide-react';
import type { ReactNode } from 'react';

interface FieldProps {
  readonly label: string;
  readonly hint?: ReactNode;
  readonly problem?: string | undefined;
  /** Differs from its default: marked, so that a changed option is found at a glance. */
  readonly changed?: boolean;
}

export interface TextFieldProps extends FieldProps {
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly placeholder?: string;
  readonly unit?: string;
  readonly numeric?: boolean;
}

export function TextField({ value, onChange, placeholder, unit, numeric, ...field }: TextFieldProps) {
  return (
    <FieldFrame {...field}>
      <span className="field-control">
        <Field.Control
          className={`input ${numeric === true ? 'input-numeric' : ''}`}
          value={value}
          placeholder={placeholder}
          inputMode={numeric === true ? 'decimal' : undefined}
          spellCheck={false}
          autoComplete="off"
          onValueChange={onChange}
        />
        {unit === undefined ? null : <span className="field-unit">{unit}</span>}
      </span>
    </FieldFrame>
  );
}

export interface ChoiceFieldProps extends FieldProps {
  readonly value: string;
  readonly choices: readonly { readonly value: string; readonly label: string }[];
  readonly onChange: (value: string) => void;
}

export function ChoiceField({ value, choices, onChange, ...field }: ChoiceFieldProps) {
  return (
    <FieldFrame {...field} nativeLabel={false}>
      <Select.Root
        items={[...choices]}
        value={value}
        modal={false}
        onValueChange={(next: string | null) => {
          if (next !== null) onChange(next);
        }}
      >
        <Select.Trigger className="input select">
          <Select.Value className="select-value" />
          <Select.Icon className="select-icon">
            <ChevronsUpDown className="icon" aria-hidden />
          </Select.Icon>
        </Select.Trigger>
        <Select.Portal>
          <Select.Positioner className="floating" sideOffset={4} alignItemWithTrigger={false}>
            <Select.Popup className="menu">
              <Select.List>
                {choices.map((choice) => (
                  <Select.Item key={choice.value} value={choice.value} className="menu-item">
                    <Select.ItemIndicator className="menu-check">
                      <Check className="icon" aria-hidden />
                    </Select.ItemIndicator>
                    <Select.ItemText className="menu-text">{choice.label}</Select.ItemText>
                  </Select.Item>
                ))}
              </Select.List>
            </Select.Popup>
          </Select.Positioner>
        </Select.Portal>
      </Select.Root>
    </FieldFrame>
  );
}

export interface SwitchFieldProps extends FieldProps {
  readonly checked: boolean;
  readonly onChange: (checked: boolean) => void;
}

export function SwitchField({ label, hint, problem, changed, checked, onChange }: SwitchFieldProps) {
  return (
    <Field.Root className="field field-switch" invalid={problem !== undefined} data-changed={changed || undefined}>
      <Field.Label className="field-switch-label">
        <CheckboxBox checked={checked} onChange={onChange} />
        <span className="field-label">{label}</span>
      </Field.Label>
      {hint === undefined ? null : <Field.Description className="field-hint">{hint}</Field.Description>}
    </Field.Root>
  );
}

export interface CheckboxBoxProps {
  readonly checked: boolean;
  readonly onChange: (checked: boolean) => void;
  readonly label?: string;
  readonly tabIndex?: number;
}

export function CheckboxBox({ checked, onChange, label, tabIndex }: CheckboxBoxProps) {
  return (
    <Checkbox.Root
      className="checkbox"
      checked={checked}
      onCheckedChange={onChange}
      {...(label === undefined ? {} : { 'aria-label': label })}
      {...(tabIndex === undefined ? {} : { tabIndex })}
    >
      <Checkbox.Indicator className="checkbox-mark">
        <Check className="icon" aria-hidden />
      </Checkbox.Indicator>
    </Checkbox.Root>
  );
}

function FieldFrame({
  label,
  hint,
  problem,
  changed,
  nativeLabel = true,
  children,
}: FieldProps & { readonly nativeLabel?: boolean; readonly children: ReactNode }) {
  return (
    <Field.Root className="field" invalid={problem !== undefined} data-changed={changed || undefined}>
      <Field.Label className="field-label" nativeLabel={nativeLabel} {...(nativeLabel ? {} : { render: <div /> })}>
        {label}
      </Field.Label>
      {children}
      <Field.Error className="field-problem" match={problem !== undefined}>
        {problem}
      </Field.Error>
      {hint === undefined || problem !== undefined ? null : (
        <Field.Description className="field-hint">{hint}</Field.Description>
      )}
    </Field.Root>
  );
}
