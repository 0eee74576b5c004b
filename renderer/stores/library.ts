/** The runs of the library as the list shows them: searched by the host, sorted and selected here. */
import { create } from 'zustand';
import { type ErrorData, toHoneError } from '../../native-workers/protocol/errors.ts';
import type { RunSummary } from '../../native-workers/protocol/studio.ts';
import { studio } from './session.ts';

export type SortColumn = 'model' | 'recipe' | 'status' | 'size' | 'latency' | 'accuracy' | 'created';

export interface Library {
  /** null before the first answer. */
  readonly runs: readonly RunSummary[] | null;
  readonly search: string;
  readonly loading: boolean;
  readonly error: ErrorData | null;
  readonly sort: { readonly column: SortColumn; readonly descending: boolean };
  readonly selected: readonly string[];
}

export const useLibrary = create<Library>(() => ({
  runs: null,
  search: '',
  loading: false,
  error: null,
  sort: { column: 'created', descending: true },
  selected: [],
}));

/** Only the answer to the latest question is shown. */
let question = 0;

export async function loadLibrary(): Promise<void> {
  const asked = ++question;
  useLibrary.setState({ loading: true });
  try {
    const runs = await studio().call('runs.list', { search: useLibrary.getState().search });
    if (asked !== question) return;
    const ids = new Set(runs.map((run) => run.id));
    useLibrary.setState(({ selected }) => ({
      runs,
      loading: false,
      error: null,
      selected: selected.filter((id) => ids.has(id)),
    }));
  } catch (error) {
    if (asked === question) useLibrary.setState({ loading: false, error: toHoneError(error).toData() });
  }
}

export function searchLibrary(search: string): void {
  useLibrary.setState({ search });
  void loadLibrary();
}

/** Sorts by the column, the other way round when it is sorted by it already. */
export function sortLibrary(column: SortColumn): void {
  useLibrary.setState(({ sort }) => ({
    sort: { column, descending: sort.column === column ? !sort.descending : column === 'created' },
  }));
}

/** At most two are selected: the third takes the place of the first. */
export function toggleSelected(id: string): void {
  useLibrary.setState(({ selected }) => ({
    selected: selected.includes(id) ? selected.filter((other) => other !== id) : [...selected, id].slice(-2),
  }));
}

export function clearSelected(): void {
  useLibrary.setState({ selected: [] });
}

export async function deleteRun(id: string): Promise<void> {
  await studio().call('runs.delete', { id });
  useLibrary.setState(({ runs, selected }) => ({
    runs: runs?.filter((run) => run.id !== id) ?? null,
    selected: selected.filter((other) => other !== id),
  }));
}

/** In the order asked for; what was not measured comes last either way. */
export function sortRuns(runs: readonly RunSummary[], sort: Library['sort']): RunSummary[] {
  const direction = sort.descending ? -1 : 1;
  return runs.toSorted((left, right) => {
    const [a, b] = [sortKey(left, sort.column), sortKey(right, sort.column)];
    if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
    const order = typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b));
    return order * direction;
  });
}

function sortKey(run: RunSummary, column: SortColumn): string | number | null {
  switch (column) {
    case 'size':
      return ratio(run.sizeBefore, run.sizeAfter);
    case 'latency':
      return ratio(run.msBefore, run.msAfter);
    case 'accuracy':
      return run.metric === null ? null : run.metric.after - run.metric.before;
    case 'model':
    case 'recipe':
    case 'status':
    case 'created':
      return run[column];
  }
}

/** after/before; null where one is missing or nothing was there before. */
export function ratio(before: number | null, after: number | null): number | null {
  return before === null || after === null || before === 0 ? null : after / before;
}

/** The newest earlier run of the same model that is done; null when there is none. */
export function previousRun(run: RunSummary, runs: readonly RunSummary[]): RunSummary | null {
  const earlier = runs.filter(
    (other) => other.modelSha256 === run.modelSha256 && other.status === 'done' && other.created < run.created,
  );
  return earlier.toSorted((left, right) => right.created.localeCompare(left.created))[0] ?? null;
}
