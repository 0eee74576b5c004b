/** What shall be done: presets, the passes in their order, and beside them the data and what is measured. */
import { useShallow } from 'zustand/react/shallow';
import { readDraft, useDraft } from '../../stores/draft.ts';
import { useSession } from '../../stores/session.ts';
import { DataPanel } from './data-panel.tsx';
import { MeasurePanel } from './measure-panel.tsx';
import { PresetList } from './preset-list.tsx';
import { StepPanel } from './step-panel.tsx';
import { TargetPanel } from './target-panel.tsx';

export function RecipeView() {
  const problems = useProblems();
  return (
    <div className="recipe-view">
      <PresetList />
      <StepPanel problems={problems} />
      <div className="settings">
        <DataPanel problems={problems} />
        <MeasurePanel problems={problems} />
        <TargetPanel problems={problems} />
      </div>
    </div>
  );
}

export function useProblems() {
  const hello = useSession((session) => session.hello);
  return useDraft(useShallow((draft) => readDraft(draft, hello).problems));
}
