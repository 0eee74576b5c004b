/** Where one can go: a new run, the library, the runs under way and the latest ones; theme and help at the foot. */
import { CirclePlus, FileChartColumn, FolderOpen, Keyboard, LibraryBig, type LucideIcon } from 'lucide-react';
import { useMemo } from 'react';
import { useShallow } from 'zustand/react/shallow';
import type { RunSummary } from '../../../native-workers/protocol/studio.ts';
import icon from '../../icon.svg';
import { pickAndTake } from '../../stores/intake.ts';
import { useLibrary } from '../../stores/library.ts';
import { formatRoute, type Route, useRoute } from '../../stores/navigation.ts';
import { useReports } from '../../stores/reports.ts';
import { runningStage, useRuns } from '../../stores/runs.ts';
import { SHELL } from '../../text/shell.ts';
import { stageTitle } from '../../text/status.ts';
import { IconButton } from '../../widgets/button.tsx';
import { Cut } from '../../widgets/cut.tsx';
import { ProgressBar } from '../../widgets/progress-bar.tsx';
import { StatusIcon } from '../../widgets/status-badge.tsx';
import { ThemeSwitch } from './theme-switch.tsx';

const RECENT = 6;

export function Sidebar({ onHelp }: { readonly onHelp: () => void }) {
  const route = useRoute((state) => state.route);
  const saved = useReports((state) => state.saved);
  const runs = useLibrary((library) => library.runs);
  // A search narrows the list of the library, not of what runs.
  const live = useRuns(
    useShallow((state) =>
      Object.values(state.runs)
        .flatMap(({ manifest }) => (manifest?.status === 'running' ? [manifest.id] : []))
        .toSorted(),
    ),
  );
  const running = useMemo(() => {
    const listed = runs?.filter((run) => run.status === 'running').map((run) => run.id) ?? [];
    return [...new Set([...live, ...listed])];
  }, [live, runs]);
  const recent = useMemo(
    () =>
      (runs ?? [])
        .filter((run) => run.status !== 'running')
        .toSorted((left, right) => right.created.localeCompare(left.created))
        .slice(0, RECENT),
    [runs],
  );
  return (
    <nav className="sidebar" aria-label={SHELL.navigation}>
      <div className="brand">
        <img className="brand-mark" src={icon} alt="" />
        <span className="brand-name">{SHELL.product}</span>
      </div>
      <NavLink to={{ screen: 'new', tab: 'model' }} icon={CirclePlus} text={SHELL.newRun} current={route} />
      <NavLink to={{ screen: 'library' }} icon={LibraryBig} text={SHELL.library} current={route} />
      {saved === null ? (
        <button type="button" className="nav-link" onClick={() => void pickAndTake('report')}>
          <FolderOpen className="icon" aria-hidden />
          <span className="cut">{SHELL.openReport}</span>
        </button>
      ) : (
        <NavLink to={{ screen: 'saved-report' }} icon={FileChartColumn} text={saved.file.name} current={route} />
      )}
      <div className="nav-runs">
        {running.length === 0 ? null : (
          <section aria-label={SHELL.running}>
            <h2 className="nav-heading">{SHELL.running}</h2>
            {running.map((id) => (
              <RunningLink key={id} id={id} current={route} />
            ))}
          </section>
        )}
        {recent.length === 0 ? null : (
          <section aria-label={SHELL.recent}>
            <h2 className="nav-heading">{SHELL.recent}</h2>
            {recent.map((run) => (
              <RecentLink key={run.id} run={run} current={route} />
            ))}
          </section>
        )}
      </div>
      <div className="sidebar-foot">
        <ThemeSwitch />
        <IconButton icon={Keyboard} label={`${SHELL.help} (?)`} onClick={onHelp} />
      </div>
    </nav>
  );
}

interface NavLinkProps {
  readonly to: Route;
  readonly icon: LucideIcon;
  readonly text: string;
  readonly current: Route;
}

function NavLink({ to, icon: Icon, text, current }: NavLinkProps) {
  return (
    <a className="nav-link" href={formatRoute(to)} aria-current={to.screen === current.screen ? 'page' : undefined}>
      <Icon className="icon" aria-hidden />
      <Cut text={text} />
    </a>
  );
}

function RunningLink({ id, current }: { readonly id: string; readonly current: Route }) {
  const run = useRuns((state) => state.runs[id]);
  const summary = useLibrary((library) => library.runs?.find((candidate) => candidate.id === id));
  const title = run?.manifest?.source.name ?? summary?.model ?? id;
  const stage = run?.manifest === undefined || run.manifest === null ? null : runningStage(run.manifest);
  const label = stage === null ? SHELL.running : stageTitle(stage);
  return (
    <a
      className="nav-link nav-run"
      href={formatRoute({ screen: 'run', id, tab: 'progress' })}
      aria-current={isRun(current, id) ? 'page' : undefined}
      title={title}
    >
      <StatusIcon status="running" />
      <span className="nav-run-text">
        <span className="cut">{title}</span>
        <span className="nav-run-stage">{label}</span>
        <ProgressBar
          label={`${title}: ${label}`}
          done={run?.progress?.value.done ?? 0}
          total={run?.progress?.value.total ?? null}
        />
      </span>
    </a>
  );
}

function RecentLink({ run, current }: { readonly run: RunSummary; readonly current: Route }) {
  const tab = run.status === 'done' ? 'report' : 'progress';
  return (
    <a
      className="nav-link nav-run"
      href={formatRoute({ screen: 'run', id: run.id, tab })}
      aria-current={isRun(current, run.id) ? 'page' : undefined}
      title={`${run.model}, ${run.recipe}`}
    >
      <StatusIcon status={run.status} />
      <span className="nav-run-text">
        <span className="cut">{run.model}</span>
        <span className="nav-run-stage cut">{run.recipe}</span>
      </span>
    </a>
  );
}

function isRun(route: Route, id: string): boolean {
  return route.screen === 'run' && route.id === id;
}
