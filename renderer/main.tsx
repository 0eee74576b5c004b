/** The entry of the studio's page. */
import './bridge/no-eval.ts';
import '@fontsource-variable/inter/wght.css';
import '@fontsource-variable/jetbrains-mono/wght.css';
import './styles/tokens.css';
import './styles/base.css';
import './styles/controls.css';
import './styles/shell.css';
import './styles/table.css';
import './styles/library.css';
import './styles/new-run.css';
import './styles/preview.css';
import './styles/run.css';
import './styles/report.css';
import { CSPProvider } from '@base-ui/react/csp-provider';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { connectStudio } from './bridge/connect.ts';
import { Shell } from './screens/shell/shell.tsx';
import { startStudio } from './stores/start.ts';
import { ErrorBoundary } from './widgets/error-boundary.tsx';

startStudio(connectStudio());

const root = document.getElementById('studio');
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <CSPProvider disableStyleElements>
        <ErrorBoundary>
          <Shell />
        </ErrorBoundary>
      </CSPProvider>
    </StrictMode>,
  );
}
