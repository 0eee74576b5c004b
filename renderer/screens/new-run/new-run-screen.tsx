/** A run in preparation: the model and what it is, then the recipe, the data and what is measured. */
import { Tabs } from '@base-ui/react/tabs';
import { ArrowRight, FileUp, PackageOpen, Replace } from 'lucide-react';
import { inspectModel, useDraft } from '../../stores/draft.ts';
import { pickAndTake } from '../../stores/intake.ts';
import { navigate, useRoute } from '../../stores/navigation.ts';
import { useSession } from '../../stores/session.ts';
import { formatBytes } from '../../text/format.ts';
import { NEW_RUN } from '../../text/new-run.ts';
import { SHELL } from '../../text/shell.ts';
import { Button } from '../../widgets/button.tsx';
import { Cut } from '../../widgets/cut.tsx';
import { EmptyState } from '../../widgets/empty-state.tsx';
import { ErrorCard } from '../../widgets/error-card.tsx';
import { ProgressBar } from '../../widgets/progress-bar.tsx';
import { OpenPath } from '../library/open-model.tsx';
import { ModelView } from './model-view.tsx';
import { RecipeView } from './recipe-view.tsx';
import { RunBar } from './run-bar.tsx';

export function NewRunScreen() {
  const model = useDraft((draft) => draft.model);
  const upload = useDraft((draft) => draft.upload);
  const tab = useRoute((state) => (state.route.screen === 'new' ? state.route.tab : 'model'));
  return (
    <Tabs.Root
      className="screen"
      value={tab}
      onValueChange={(next: 'model' | 'recipe') => navigate({ screen: 'new', tab: next })}
    >
      <header className="screen-head">
        <h1 className="screen-title">{NEW_RUN.title}</h1>
        {model === null ? null : (
          <span className="screen-subject">
            <Cut text={model.name} /> <span className="muted">{formatBytes(model.bytes)}</span>
          </span>
        )}
        <span className="grow" />
        {model === null ? null : (
          <Button icon={Replace} onClick={() => void pickAndTake('model')}>
            {NEW_RUN.otherModel}
          </Button>
        )}
      </header>
      <Tabs.List className="tabs" aria-label={NEW_RUN.title}>
        <Tabs.Tab className="tab" value="model">
          {NEW_RUN.tabs.model}
        </Tabs.Tab>
        <Tabs.Tab className="tab" value="recipe">
          {NEW_RUN.tabs.recipe}
        </Tabs.Tab>
        <Tabs.Indicator className="tab-indicator" />
      </Tabs.List>
      <Tabs.Panel className="tab-panel" value="model">
        {upload === null ? <ModelPane /> : <Upload done={upload.done} total={upload.total} />}
      </Tabs.Panel>
      <Tabs.Panel className="tab-panel" value="recipe">
        <RecipeView />
        <RunBar />
      </Tabs.Panel>
    </Tabs.Root>
  );
}

function ModelPane() {
  const { model, facts, inspectError } = useDraft();
  const host = useSession((session) => session.hello?.host);
  if (model === null) {
    return (
      <EmptyState
        icon={PackageOpen}
        title={NEW_RUN.noModel}
        actions={
          <>
            <Button weight="primary" icon={FileUp} onClick={() => void pickAndTake('model')}>
              {NEW_RUN.chooseModel}
            </Button>
            {host === 'browser' ? <OpenPath /> : null}
          </>
        }
      >
        {NEW_RUN.noModelText}
      </EmptyState>
    );
  }
  if (inspectError !== null) {
    return (
      <div className="pane-padded">
        <ErrorCard
          error={inspectError}
          actions={
            <>
              <Button weight="primary" onClick={() => void pickAndTake('model')}>
                {NEW_RUN.otherModel}
              </Button>
              <Button onClick={() => void inspectModel()}>{SHELL.tryAgain}</Button>
            </>
          }
        />
      </div>
    );
  }
  if (facts === null) {
    return (
      <div className="waiting" role="status">
        <p>{NEW_RUN.inspecting}</p>
        <ProgressBar label={NEW_RUN.inspecting} done={0} total={null} />
      </div>
    );
  }
  return (
    <>
      <ModelView facts={facts} />
      <footer className="bar">
        <span className="grow" />
        <Button weight="primary" icon={ArrowRight} onClick={() => navigate({ screen: 'new', tab: 'recipe' })}>
          {NEW_RUN.next}
        </Button>
      </footer>
    </>
  );
}

function Upload({ done, total }: { readonly done: number; readonly total: number }) {
  return (
    <div className="waiting" role="status">
      <p>{NEW_RUN.sending}</p>
      <ProgressBar label={NEW_RUN.sending} done={done} total={total} />
      <p className="muted numeric">{NEW_RUN.sent(formatBytes(done), formatBytes(total))}</p>
    </div>
  );
}
