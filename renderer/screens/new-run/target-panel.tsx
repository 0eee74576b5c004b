/** The devices that the result is packaged for, and what each of their formats can express of the model. */
import { ListChecks } from 'lucide-react';
import { checkCoverage, groupUnsupported, type TargetCoverage, useCoverage } from '../../stores/coverage.ts';
import { setField, useDraft } from '../../stores/draft.ts';
import { TARGETS } from '../../text/new-run.ts';
import { Button } from '../../widgets/button.tsx';
import { SwitchField } from '../../widgets/fields.tsx';

export function TargetPanel() {
  const model = useDraft((draft) => draft.model);
  const chosen = useDraft((draft) => draft.form.targets);
  const { model: checked, byTarget } = useCoverage();
  const isChecking = Object.values(byTarget).some(({ status }) => status === 'checking');
  const toggle = (id: string, on: boolean): void =>
    setField(
      'targets',
      TARGETS.all.map((target) => target.id).filter((each) => (each === id ? on : chosen.includes(each))),
    );
  return (
    <section className="pane" aria-labelledby="targets">
      <h2 className="pane-title" id="targets">
        {TARGETS.title} <span className="pane-detail">{TARGETS.detail}</span>
      </h2>
      <div className="pane-form">
        {TARGETS.all.map(({ id, title, hint }) => {
          const found = checked !== null && checked === model?.id ? byTarget[id] : undefined;
          return (
            <div key={id} className="target">
              <SwitchField label={title} hint={hint} checked={chosen.includes(id)} onChange={(on) => toggle(id, on)} />
              {found === undefined ? null : <Coverage found={found} />}
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
                const ids = TARGETS.all.map(({ id }) => id);
                void checkCoverage(model.id, chosen.length === 0 ? ids : chosen);
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

function Coverage({ found }: { readonly found: TargetCoverage }) {
  if (found.status === 'checking') {
    return (
      <p className="target-coverage muted" role="status">
        {TARGETS.checking}
      </p>
    );
  }
  if (found.status === 'failed' || found.error !== null) {
    return (
      <p className="target-coverage target-failed" role="status">
        {found.error?.message}
      </p>
    );
  }
  const { nodes, unsupported } = found.coverage;
  if (unsupported.length === 0) {
    return (
      <p className="target-coverage target-full" role="status">
        {TARGETS.covered(nodes)}
      </p>
    );
  }
  return (
    <details className="target-coverage" open>
      <summary className="target-partly">{TARGETS.uncovered(unsupported.length, nodes)}</summary>
      <ul>
        {groupUnsupported(unsupported).map(({ type, reason, nodes: count }) => (
          <li key={`${type} ${reason}`}>{TARGETS.operator(type, count, reason)}</li>
        ))}
      </ul>
    </details>
  );
}
