/** One pass of the recipe: what it does, its place, and its options as a form made from its schema. */
import { ArrowDown, ArrowUp, ChevronRight, GripVertical, TriangleAlert, X } from 'lucide-react';
import { useId } from 'react';
import type { PassInfo } from '../../../native-workers/protocol/studio.ts';
import { removeStep, resetStep, setOption } from '../../stores/draft.ts';
import { type EditedStep, isDefault, type Problems } from '../../stores/recipe-form.ts';
import { RECIPE } from '../../text/new-run.ts';
import { Button, IconButton } from '../../widgets/button.tsx';
import { OptionField } from './option-field.tsx';

export interface StepCardProps {
  readonly step: EditedStep;
  readonly pass: PassInfo;
  readonly place: number;
  readonly count: number;
  readonly problems: Problems;
  readonly expanded: boolean;
  /** It measures on calibration data and there is none. */
  readonly needsData: boolean;
  readonly onToggle: () => void;
  readonly onMove: (to: number) => void;
  readonly onDragStart: () => void;
  readonly onDragEnd: () => void;
}

export function StepCard(props: StepCardProps) {
  const { step, pass, place, count, problems, expanded, needsData, onToggle, onMove } = props;
  const panel = useId();
  const hasProblem = Object.keys(problems).some((key) => key.startsWith(`${step.key}.`));
  const changed = pass.options.filter((form) => !isDefault(form, step.values[form.name] ?? '')).length;
  return (
    <>
      <div className="step-head">
        {/* biome-ignore lint/a11y/noStaticElementInteractions: a handle for pointers; the buttons and keys beside it do the same. */}
        <span
          className="step-grip"
          draggable
          title={RECIPE.drag}
          onDragStart={(event) => {
            event.dataTransfer.effectAllowed = 'move';
            event.dataTransfer.setData('text/plain', pass.id);
            props.onDragStart();
          }}
          onDragEnd={props.onDragEnd}
        >
          <GripVertical className="icon" aria-hidden />
        </span>
        <span className="step-place">{place + 1}</span>
        <button
          type="button"
          className="step-toggle"
          aria-expanded={expanded || hasProblem}
          aria-controls={panel}
          title={pass.summary}
          onClick={onToggle}
        >
          <ChevronRight className="icon step-chevron" aria-hidden />
          <span className="step-text">
            <span className="step-title">
              {pass.title}
              {pass.lossy ? (
                <span className="tag" title={RECIPE.lossyTitle}>
                  {RECIPE.lossy}
                </span>
              ) : null}
            </span>
            <span className="step-summary">{pass.summary}</span>
          </span>
          <span className={`step-options ${changed === 0 ? '' : 'step-options-changed'}`}>
            {pass.options.length === 0 ? '' : RECIPE.options(changed)}
          </span>
        </button>
        <span className="step-actions">
          <IconButton
            icon={ArrowUp}
            label={RECIPE.moveUp(pass.title)}
            disabled={place === 0}
            onClick={() => onMove(place - 1)}
          />
          <IconButton
            icon={ArrowDown}
            label={RECIPE.moveDown(pass.title)}
            disabled={place === count - 1}
            onClick={() => onMove(place + 1)}
          />
          <IconButton icon={X} label={RECIPE.remove(pass.title)} onClick={() => removeStep(step.key)} />
        </span>
      </div>
      {needsData ? (
        <p className="step-warning">
          <TriangleAlert className="icon" aria-hidden />
          {RECIPE.needsMissing}
        </p>
      ) : null}
      <div id={panel} hidden={!(expanded || hasProblem)} className="step-form">
        {pass.options.length === 0 ? (
          <p className="muted">{RECIPE.noOptions}</p>
        ) : (
          <>
            <div className="option-grid">
              {pass.options.map((form) => (
                <OptionField
                  key={form.name}
                  form={form}
                  value={step.values[form.name] ?? ''}
                  problem={problems[`${step.key}.${form.name}`]}
                  onChange={(next) => setOption(step.key, form.name, next)}
                />
              ))}
            </div>
            {changed === 0 ? null : (
              <Button weight="quiet" onClick={() => resetStep(step.key)}>
                {RECIPE.reset}
              </Button>
            )}
          </>
        )}
      </div>
    </>
  );
}
