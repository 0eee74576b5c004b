/** One section: its heading, and its content or why there is none. Every file in `sections/` makes one of these views. */
import type { ComponentType } from 'react';
import type { ReportDocument } from '../../native-workers/report/document.ts';
import type { Outcome } from '../../native-workers/report/outcome.ts';
import type { SectionData, SectionId } from '../../native-workers/report/sections/registry.ts';
import { visible } from '../../native-workers/report/text.ts';
import { Pill } from './parts.tsx';

export interface SectionProps<Id extends SectionId> {
  readonly data: SectionData<Id>;
  /** For what other sections and the raw facts hold. */
  readonly report: ReportDocument;
}

export interface SectionView<Id extends SectionId> {
  readonly title: string;
  readonly View: ComponentType<SectionProps<Id>>;
}

interface SectionOf<Id extends SectionId> {
  readonly id: Id;
  readonly view: SectionView<Id>;
  readonly outcome: Outcome<SectionData<Id>>;
  readonly report: ReportDocument;
}

export function SectionFrame<Id extends SectionId>({ id, view, outcome, report }: SectionOf<Id>) {
  const { title, View } = view;
  return (
    <section className="report-section" aria-labelledby={`report-${id}`}>
      <h2 id={`report-${id}`}>{title}</h2>
      {outcome.status === 'measured' ? <View data={outcome.data} report={report} /> : <Absent outcome={outcome} />}
    </section>
  );
}

function Absent({ outcome }: { readonly outcome: Exclude<Outcome<unknown>, { status: 'measured' }> }) {
  if (outcome.status === 'failed') {
    return (
      <p className="report-absent-line">
        <Pill tone="danger">failed</Pill> {visible(outcome.error.message)}{' '}
        {outcome.error.hint === undefined ? null : visible(outcome.error.hint)}
      </p>
    );
  }
  return (
    <p className="report-absent-line">
      <Pill tone="neutral">{outcome.status.replace('-', ' ')}</Pill> {visible(outcome.reason)}
    </p>
  );
}
