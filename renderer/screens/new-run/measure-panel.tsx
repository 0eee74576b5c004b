/** What is measured, and what the result has to keep to. */
import { setField, useDraft } from '../../stores/draft.ts';
import type { Problems } from '../../stores/recipe-form.ts';
import { MEASURE } from '../../text/new-run.ts';
import { SwitchField, TextField } from '../../widgets/fields.tsx';

type Field = 'provider' | 'threads' | 'batch' | 'seconds' | 'sustained' | 'maxDrop' | 'maxMs' | 'maxMb';

export function MeasurePanel({ problems }: { readonly problems: Problems }) {
  const form = useDraft((draft) => draft.form);
  const text = (name: Field, placeholder: string) => ({
    value: form[name],
    problem: problems[name],
    placeholder,
    onChange: (value: string) => setField(name, value),
  });
  return (
    <>
      <section className="pane" aria-labelledby="benchmark">
        <h2 className="pane-title" id="benchmark">
          {MEASURE.title}
        </h2>
        <div className="pane-form">
          <div className="field-pair">
            <TextField label={MEASURE.provider} {...text('provider', MEASURE.providerHint)} />
            <TextField label={MEASURE.threads} hint={MEASURE.threadsHint} {...text('threads', MEASURE.auto)} />
            <TextField label={MEASURE.batch} {...text('batch', '1')} />
            <TextField label={MEASURE.seconds} numeric unit={MEASURE.secondsUnit} {...text('seconds', MEASURE.auto)} />
          </div>
          <SwitchField
            label={MEASURE.profile}
            hint={MEASURE.profileHint}
            checked={form.profile}
            onChange={(checked) => setField('profile', checked)}
          />
          <TextField label={MEASURE.sustained} numeric unit={MEASURE.minutes} {...text('sustained', MEASURE.off)} />
        </div>
      </section>
      <section className="pane" aria-labelledby="budgets">
        <h2 className="pane-title" id="budgets">
          {MEASURE.budgets} <span className="pane-detail">{MEASURE.budgetsHint}</span>
        </h2>
        <div className="pane-form">
          <TextField label={MEASURE.maxDrop} numeric unit={MEASURE.points} {...text('maxDrop', MEASURE.noLimit)} />
          <TextField label={MEASURE.maxMs} numeric unit={MEASURE.ms} {...text('maxMs', MEASURE.noLimit)} />
          <TextField label={MEASURE.maxMb} numeric unit={MEASURE.mb} {...text('maxMb', MEASURE.noLimit)} />
        </div>
      </section>
    </>
  );
}
