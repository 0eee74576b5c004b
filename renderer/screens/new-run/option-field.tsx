/** One option of a pass as the field that its kind asks for. */
import type { OptionForm } from '../../../native-workers/protocol/studio.ts';
import { setOption } from '../../stores/draft.ts';
import { type RawValue, rawOf } from '../../stores/option-values.ts';
import { isDefault } from '../../stores/recipe-form.ts';
import { RECIPE } from '../../text/new-run.ts';
import { ChoiceField, SwitchField, TextField } from '../../widgets/fields.tsx';

export interface OptionFieldProps {
  readonly form: OptionForm;
  readonly stepKey: string;
  readonly value: RawValue;
  readonly problem: string | undefined;
}

export function OptionField({ form, stepKey, value, problem }: OptionFieldProps) {
  const common = { label: form.name, hint: form.description, problem, changed: !isDefault(form, value) };
  const change = (next: RawValue): void => setOption(stepKey, form.name, next);
  if (form.kind === 'boolean') return <SwitchField {...common} checked={value === true} onChange={change} />;
  if (form.kind === 'choice') {
    const choices = (form.choices ?? []).map((choice) => ({ value: choice, label: choice }));
    const all = form.default === null ? [{ value: '', label: RECIPE.notSet }, ...choices] : choices;
    return <ChoiceField {...common} value={String(value)} choices={all} onChange={change} />;
  }
  return (
    <TextField
      {...common}
      value={String(value)}
      placeholder={String(rawOf(form, form.default)) || RECIPE.notSet}
      numeric={form.kind === 'number' || form.kind === 'integer'}
      {...rangeOf(form)}
      onChange={change}
    />
  );
}

function rangeOf({ minimum, maximum }: OptionForm): { unit?: string } {
  if (minimum !== undefined && maximum !== undefined) return { unit: RECIPE.between(minimum, maximum) };
  if (minimum !== undefined) return { unit: RECIPE.from(minimum) };
  return maximum === undefined ? {} : { unit: RECIPE.upTo(maximum) };
}
