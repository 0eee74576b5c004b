/** The passes of the recipe, as a form or as JSON. */
import { Toggle } from '@base-ui/react/toggle';
import { ToggleGroup } from '@base-ui/react/toggle-group';
import { Braces, ListPlus, Rows3 } from 'lucide-react';
import { useState } from 'react';
import type { PassInfo } from '../../../native-workers/protocol/studio.ts';
import { addStep, useDraft } from '../../stores/draft.ts';
import type { Problems } from '../../stores/recipe-form.ts';
import { useSession } from '../../stores/session.ts';
import { RECIPE } from '../../text/new-run.ts';
import { EmptyState } from '../../widgets/empty-state.tsx';
import { PassMenu } from './pass-menu.tsx';
import { RecipeJson } from './recipe-json.tsx';
import { StepList } from './step-list.tsx';

type Shape = 'form' | 'json';

export function StepPanel({ problems }: { readonly problems: Problems }) {
  const [shape, setShape] = useState<Shape>('form');
  const passes: readonly PassInfo[] = useSession((session) => session.hello?.passes) ?? [];
  const recipe = useDraft((draft) => draft.recipe);
  const isEmpty = useDraft((draft) => draft.steps.length === 0);
  return (
    <section className="pane pane-fill steps-pane" aria-labelledby="steps">
      <div className="pane-head">
        <h2 className="pane-title" id="steps">
          {RECIPE.steps}{' '}
          <span className="pane-detail">
            {recipe.name === 'custom' ? RECIPE.custom : (recipe.title ?? recipe.name)}
          </span>
        </h2>
        <span className="grow" />
        <ToggleGroup
          className="toggles"
          aria-label={`${RECIPE.form} / ${RECIPE.json}`}
          value={[shape]}
          onValueChange={([next]: Shape[]) => {
            if (next !== undefined) setShape(next);
          }}
        >
          <Toggle value="form" className="icon-button toggle" aria-label={RECIPE.form} title={RECIPE.form}>
            <Rows3 className="icon" aria-hidden />
          </Toggle>
          <Toggle value="json" className="icon-button toggle" aria-label={RECIPE.json} title={RECIPE.json}>
            <Braces className="icon" aria-hidden />
          </Toggle>
        </ToggleGroup>
        <PassMenu passes={passes} onAdd={addStep} />
      </div>
      {shape === 'json' ? (
        <RecipeJson />
      ) : isEmpty ? (
        <EmptyState icon={ListPlus} title={RECIPE.noSteps}>
          {RECIPE.noStepsText}
        </EmptyState>
      ) : (
        <StepList passes={passes} problems={problems} />
      )}
    </section>
  );
}
