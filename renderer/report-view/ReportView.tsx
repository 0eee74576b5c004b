/** A report on the screen: the same in the studio and in a saved file. Takes a ReportDocument and shows all of it. */
import { useMemo } from 'react';
import type { ReportDocument } from '../../native-workers/report/document.ts';
import { BudgetTable, Comparison, Hints } from './comparison.tsx';
import { Contents } from './contents.tsx';
import { SECTION_ORDER, SECTION_VIEWS, SectionById } from './sections/registry.tsx';
import { Stages } from './stages.tsx';
import { Summary, Warnings } from './summary.tsx';

export function ReportView({ report }: { readonly report: ReportDocument }) {
  const { table, budgets, warnings, hints } = report;
  const hasBudgets = budgets.length > 0;
  const hasHints = hints.length > 0;
  const sections = useMemo(() => sectionsOf(hasBudgets, hasHints), [hasBudgets, hasHints]);
  return (
    <article className="report">
      <Summary report={report} />
      <Warnings warnings={warnings} />
      <div className="report-body">
        <Contents sections={sections} />
        <div className="report-sections">
          <section className="report-section" aria-labelledby="report-before-after">
            <h2 id="report-before-after">Before and after</h2>
            <Comparison rows={table} />
          </section>
          {!hasBudgets ? null : (
            <section className="report-section" aria-labelledby="report-budgets">
              <h2 id="report-budgets">Budgets</h2>
              <BudgetTable rows={budgets} />
            </section>
          )}
          {!hasHints ? null : (
            <section className="report-section" aria-labelledby="report-hints">
              <h2 id="report-hints">Where the difference comes from</h2>
              <Hints hints={hints} />
            </section>
          )}
          {SECTION_ORDER.map((id) => (
            <SectionById key={id} id={id} report={report} />
          ))}
          <section className="report-section" aria-labelledby="report-stages">
            <h2 id="report-stages">Stages of the run</h2>
            <Stages stages={report.stages} />
          </section>
          <p className="report-meta report-digest">
            Report digest <code className="report-hash">{report.digest}</code>. Check it with <code>hone verify</code>,
            which computes every number again from the raw samples in this file.
          </p>
        </div>
      </div>
    </article>
  );
}

function sectionsOf(hasBudgets: boolean, hasHints: boolean): { id: string; title: string }[] {
  return [
    { id: 'before-after', title: 'Before and after' },
    ...(hasBudgets ? [{ id: 'budgets', title: 'Budgets' }] : []),
    ...(hasHints ? [{ id: 'hints', title: 'Where the difference comes from' }] : []),
    ...SECTION_ORDER.map((id) => ({ id, title: SECTION_VIEWS[id].title })),
    { id: 'stages', title: 'Stages of the run' },
  ];
}
