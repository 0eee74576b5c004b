/** The window: navigation at the left, the screen, the status bar; and what lies over them (start, loss, drop, help). */
import { type ComponentType, useState } from 'react';
import { type Route, useRoute } from '../../stores/navigation.ts';
import { dismissFailure, useNotices } from '../../stores/notices.ts';
import { useSession } from '../../stores/session.ts';
import { retryStudio } from '../../stores/start.ts';
import { SHELL } from '../../text/shell.ts';
import { Button } from '../../widgets/button.tsx';
import { ErrorBoundary } from '../../widgets/error-boundary.tsx';
import { ErrorCard } from '../../widgets/error-card.tsx';
import { HelpDialog } from '../../widgets/help-dialog.tsx';
import { Words } from '../../widgets/words.tsx';
import { CompareScreen } from '../compare/compare-screen.tsx';
import { LibraryScreen } from '../library/library-screen.tsx';
import { NewRunScreen } from '../new-run/new-run-screen.tsx';
import { SavedReportScreen } from '../report/saved-report-screen.tsx';
import { RunScreen } from '../run/run-screen.tsx';
import { DropTarget } from './drop-target.tsx';
import { Sidebar } from './sidebar.tsx';
import { StartUp } from './start-up.tsx';
import { StatusBar } from './status-bar.tsx';
import { useKeys } from './use-keys.ts';

const SCREENS: { readonly [Screen in Route['screen']]: ComponentType } = {
  library: LibraryScreen,
  new: NewRunScreen,
  run: RunScreen,
  compare: CompareScreen,
  'saved-report': SavedReportScreen,
};

export function Shell() {
  const status = useSession((session) => session.status);
  const host = useSession((session) => session.hello?.host);
  const failure = useNotices((notices) => notices.failure);
  const route = useRoute((state) => state.route);
  const [help, setHelp] = useState(false);
  useKeys(() => setHelp(true));
  if (status === 'starting' || status === 'failed') return <StartUp />;
  const Screen = SCREENS[route.screen];
  return (
    <div className="shell">
      <button type="button" className="skip" onClick={() => document.getElementById('content')?.focus()}>
        {SHELL.skip}
      </button>
      <Sidebar onHelp={() => setHelp(true)} />
      <main className="content" id="content" tabIndex={-1}>
        {status === 'lost' ? (
          <div className="banner banner-warning" role="alert">
            <span className="banner-text">
              <Words text={host === 'browser' ? `${SHELL.lost} ${SHELL.lostBrowser}` : SHELL.lost} />
            </span>
            <Button onClick={retryStudio}>{SHELL.reconnect}</Button>
          </div>
        ) : null}
        {failure === null ? null : (
          <div className="failure">
            <ErrorCard error={failure} actions={<Button onClick={dismissFailure}>{SHELL.dismiss}</Button>} />
          </div>
        )}
        <ErrorBoundary key={route.screen}>
          <Screen />
        </ErrorBoundary>
      </main>
      <StatusBar />
      <DropTarget />
      <HelpDialog open={help} onClose={() => setHelp(false)} />
    </div>
  );
}
