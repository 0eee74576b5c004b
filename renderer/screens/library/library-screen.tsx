/** The library: every run with what it did, searched, sorted, compared and deleted; and the first screen of a new user. */
import { FileSearch, FolderOpen, GitCompareArrows, Search, X } from 'lucide-react';
import { useDeferredValue, useMemo, useState } from 'react';
import type { RunSummary } from '../../../native-workers/protocol/studio.ts';
import { pickAndTake } from '../../stores/intake.ts';
import { clearSelected, deleteRun, searchLibrary, sortRuns, useLibrary } from '../../stores/library.ts';
import { navigate } from '../../stores/navigation.ts';
import { notify, reportFailure } from '../../stores/notices.ts';
import { forgetRun } from '../../stores/runs.ts';
import { retryStudio } from '../../stores/start.ts';
import { LIBRARY } from '../../text/library.ts';
import { SHELL } from '../../text/shell.ts';
import { Button, IconButton } from '../../widgets/button.tsx';
import { ConfirmDialog } from '../../widgets/confirm-dialog.tsx';
import { EmptyState } from '../../widgets/empty-state.tsx';
import { ErrorCard } from '../../widgets/error-card.tsx';
import { SEARCH_FIELD } from '../shell/use-keys.ts';
import { EmptyLibrary } from './empty-library.tsx';
import { OpenModel } from './open-model.tsx';
import { RunTable } from './run-table.tsx';

export function LibraryScreen() {
  const { runs, search, loading, error, sort, selected } = useLibrary();
  const [condemned, setCondemned] = useState<RunSummary | null>(null);
  const shown = useDeferredValue(useMemo(() => sortRuns(runs ?? [], sort), [runs, sort]));
  const isEmpty = runs !== null && runs.length === 0 && search === '';
  const running = runs?.filter((run) => run.status === 'running').length ?? 0;
  return (
    <div className="screen">
      <header className="screen-head">
        <h1 className="screen-title">{LIBRARY.title}</h1>
        {runs === null || isEmpty ? null : (
          <span className="screen-count" aria-live="polite">
            {LIBRARY.count(runs.length, running)}
          </span>
        )}
        <span className="grow" />
        {isEmpty ? null : <SearchField value={search} />}
        <Button icon={FolderOpen} onClick={() => void pickAndTake('report')}>
          {LIBRARY.openReport}
        </Button>
      </header>
      {error === null ? null : (
        <div className="pane-padded">
          <ErrorCard error={error} actions={<Button onClick={retryStudio}>{SHELL.tryAgain}</Button>} />
        </div>
      )}
      {isEmpty ? (
        <EmptyLibrary />
      ) : (
        <>
          <div className="library-open">
            <OpenModel />
            {selected.length === 0 ? null : <SelectionBar selected={selected} runs={runs ?? []} />}
          </div>
          {runs !== null && runs.length === 0 ? (
            <EmptyState
              icon={FileSearch}
              title={LIBRARY.nothingFound(search)}
              actions={<Button onClick={() => searchLibrary('')}>{LIBRARY.clearSearch}</Button>}
            />
          ) : runs === null && loading ? (
            <TableSkeleton />
          ) : (
            <RunTable runs={shown} onDelete={setCondemned} />
          )}
        </>
      )}
      <ConfirmDialog
        open={condemned !== null}
        title={LIBRARY.deleteTitle(condemned?.title ?? '')}
        text={LIBRARY.deleteText}
        action={LIBRARY.delete}
        onClose={() => setCondemned(null)}
        onConfirm={() => {
          if (condemned !== null) void remove(condemned);
        }}
      />
    </div>
  );
}

async function remove(run: RunSummary): Promise<void> {
  try {
    await deleteRun(run.id);
    forgetRun(run.id);
    notify(LIBRARY.deleted(run.title));
  } catch (error) {
    reportFailure(error);
  }
}

function SearchField({ value }: { readonly value: string }) {
  return (
    <div className="search">
      <Search className="icon search-icon" aria-hidden />
      <input
        id={SEARCH_FIELD}
        className="input search-input"
        type="search"
        aria-label={LIBRARY.search}
        placeholder={`${LIBRARY.search} ( / )`}
        value={value}
        onChange={(event) => searchLibrary(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === 'Escape') searchLibrary('');
        }}
      />
    </div>
  );
}

interface SelectionBarProps {
  readonly selected: readonly string[];
  readonly runs: readonly RunSummary[];
}

function SelectionBar({ selected, runs }: SelectionBarProps) {
  const chosen = runs.filter((run) => selected.includes(run.id));
  const [before, after] = chosen.toSorted((left, right) => left.created.localeCompare(right.created));
  const hint =
    before === undefined || after === undefined
      ? LIBRARY.compareHint
      : before.modelSha256 === after.modelSha256
        ? ''
        : LIBRARY.compareOther;
  return (
    <div className="selection" role="status">
      <span className="selection-count">{LIBRARY.selected(selected.length)}</span>
      <span className="selection-hint">{hint}</span>
      <Button
        weight="primary"
        icon={GitCompareArrows}
        disabled={before === undefined || after === undefined}
        onClick={() => {
          if (before !== undefined && after !== undefined) {
            navigate({ screen: 'compare', before: before.id, after: after.id });
          }
        }}
      >
        {LIBRARY.compare}
      </Button>
      <IconButton icon={X} label={SHELL.cancel} onClick={clearSelected} />
    </div>
  );
}

const SKELETON_ROWS = ['a', 'b', 'c', 'd', 'e', 'f'];

function TableSkeleton() {
  return (
    <div className="skeleton" role="status" aria-label={LIBRARY.loading}>
      {SKELETON_ROWS.map((row) => (
        <div key={row} className="skeleton-row" />
      ))}
    </div>
  );
}
