/** The report view inside a saved report: takes the document out of the page and replaces the static rendering. */
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import type { ReportDocument } from '../../native-workers/report/document.ts';
import { ReportView } from './ReportView.tsx';
import { ThemeSwitch } from './theme-switch.tsx';
import '../styles/tokens.css';
import './page.css';
import './report.css';

const page = document.getElementById('report');
const json = document.getElementById('hone-report')?.textContent;
if (page !== null && json !== undefined && json !== null) {
  // The file was written by Hone with this very view, so its document has this view's schema.
  const report = JSON.parse(json) as ReportDocument;
  createRoot(page).render(
    <StrictMode>
      <main>
        <ThemeSwitch />
        <ReportView report={report} />
      </main>
    </StrictMode>,
  );
}

// Paper has no closed details.
let opened: HTMLDetailsElement[] = [];
addEventListener('beforeprint', () => {
  opened = [...document.querySelectorAll<HTMLDetailsElement>('details:not([open])')];
  for (const details of opened) details.open = true;
});
addEventListener('afterprint', () => {
  for (const details of opened) details.open = false;
});
