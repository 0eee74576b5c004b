/** One option of a pass or a target as the field that its kind asks for. */
import type { OptionForm } from '../../../native-workers/protocol/studio.ts';
import { type RawValue, rawOf } from '../../stores/option-values.ts';
import { isDefault } from '../../stores/recipe-form.ts';
import { RECIPE } from '../../text/new-run.ts';
import { ChoiceField, SwitchField, TextField } from '../../widgets/fields.tsx';

export interface OptionFieldProps {
  readonly form: OptionForm;
  readonly value: RawValue;
  readonly problem: string | undefined;
  readonly onChange: (value: RawValue) => void;
}

export function OptionField({ form, value, problem, onChange }: OptionFieldProps) {
  const common = { label: form.name, hint: form.description, problem, changed: !isDefault(form, value) };
  if (form.kind === 'boolean') return <SwitchField {...common} checked={value === true} onChange={onChange} />;
  if (form.kind === 'choice') {
    const choices = (form.choices ?? []).map((choice) => ({ value: choice, label: choice }));
    const all = form.default === null ? [{ value: '', label: RECIPE.notSet }, ...choices] : choices;
    return <ChoiceField {...common} value={String(value)} choices={all} onChange={onChange} />;
  }
  return (
    <TextField
      {...common}
      value={String(value)}
      placeholder={String(rawOf(form, form.default)) || RECIPE.notSet}
      numeric={form.kind === 'number' || form.kind === 'integer'}
      {...rangeOf(form)}
      onChange={onChange}
    />
  );
}

function rangeOf({ minimum, maximum }: OptionForm): { unit?: string } {
  if (minimum !== undefined && maximum !== undefined) return { unit: RECIPE.between(minimum, maximum) };
  if (minimum !== undefined) return { unit: RECIPE.from(minimum) };
  return maximum === undefined ? {} : { unit: RECIPE.upTo(maximum) };
}
