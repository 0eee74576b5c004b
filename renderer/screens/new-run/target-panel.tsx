/** The devices that the result is packaged for, their options, and what each of their formats can express of the model. */
import { ListChecks } from 'lucide-react';
import type { TargetInfo } from '../../../native-workers/protocol/studio.ts';
import { checkCoverage, useCoverage } from '../../stores/coverage.ts';
import { resetTarget, setField, setTargetOption, useDraft } from '../../stores/draft.ts';
import { rawOf } from '../../stores/option-values.ts';
import { isDefault, type Problems } from '../../stores/recipe-form.ts';
import { useSession } from '../../stores/session.ts';
import { optionsByTarget } from '../../stores/target-form.ts';
import { RECIPE, TARGETS } from '../../text/new-run.ts';
import { Button } from '../../widgets/button.tsx';
import { SwitchField } from '../../widgets/fields.tsx';
import { OptionField } from './option-field.tsx';
import { TargetCoverageView } from './target-coverage.tsx';

const NONE: readonly TargetInfo[] = [];

export function TargetPanel({ problems }: { readonly problems: Problems }) {
  const targets = useSession((session) => session.hello?.targets) ?? NONE;
  const model = useDraft((draft) => draft.model);
  const { targets: chosen, targetValues } = useDraft((draft) => draft.form);
  const { model: checked, byTarget } = useCoverage();
  const isChecking = Object.values(byTarget).some(({ status }) => status === 'checking');
  const ids = targets.map(({ id }) => id);
  const toggle = (id: string, on: boolean): void =>
    setField(
      'targets',
      ids.filter((each) => (each === id ? on : chosen.includes(each))),
    );
  return (
    <section className="pane" aria-labelledby="targets">
      <h2 className="pane-title" id="targets">
        {TARGETS.title} <span className="pane-detail">{TARGETS.detail}</span>
      </h2>
      <div className="pane-form">
        {targets.map((target) => {
          const { id, title, summary } = target;
          const found = checked !== null && checked === model?.id ? byTarget[id] : undefined;
          const isChosen = chosen.includes(id);
          return (
            <div key={id} className="target">
              <SwitchField label={title} hint={summary} checked={isChosen} onChange={(on) => toggle(id, on)} />
              {isChosen ? <TargetOptions target={target} problems={problems} /> : null}
              {found === undefined ? null : <TargetCoverageView title={title} found={found} />}
            </div>
          );
        })}
        <div className="field">
          <span>
            <Button
              icon={ListChecks}
              disabled={model === null || isChecking}
              onClick={() => {
                if (model === null) return;
                const asked = chosen.length === 0 ? ids : chosen;
                void checkCoverage(model.id, asked, optionsByTarget(asked, targetValues, targets));
              }}
            >
              {isChecking ? TARGETS.checking : TARGETS.check}
            </Button>
          </span>
          <span className="field-hint">{TARGETS.checkHint}</span>
        </div>
        <p className="field-hint">{TARGETS.coreAi}</p>
      </div>
    </section>
  );
}

function TargetOptions({ target, problems }: { readonly target: TargetInfo; readonly problems: Problems }) {
  const { id, title, options } = target;
  const values = useDraft((draft) => draft.form.targetValues[id]) ?? {};
  const fields = options.map((form) => ({ form, value: values[form.name] ?? rawOf(form, form.default) }));
  const changed = fields.filter(({ form, value }) => !isDefault(form, value)).length;
  const hasProblem = options.some(({ name }) => problems[`${id}.${name}`] !== undefined);
  return (
    <details className="target-options" open={hasProblem || undefined}>
      <summary aria-label={`${TARGETS.optionsOf(title)}, ${RECIPE.options(changed)}`}>
        {TARGETS.options(changed)}
      </summary>
      <div className="option-grid">
        {fields.map(({ form, value }) => (
          <OptionField
            key={form.name}
            form={form}
            value={value}
            problem={problems[`${id}.${form.name}`]}
            onChange={(next) => setTargetOption(id, form.name, next)}
          />
        ))}
      </div>
      {changed === 0 ? null : (
        <Button weight="quiet" onClick={() => resetTarget(id)}>
          {RECIPE.reset}
        </Button>
      )}
    </details>
  );
}
