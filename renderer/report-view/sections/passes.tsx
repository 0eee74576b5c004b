import { formatCount, formatMs, plural } from '../../../native-workers/report/format.ts';
import type { PassesSection } from '../../../native-workers/report/sections/passes.ts';
import { visible } from '../../../native-workers/report/text.ts';
import { DataTable, Details, Name, Pill } from '../parts.tsx';
import type { SectionProps, SectionView } from '../section-view.tsx';

export const passesView: SectionView<'passes'> = { title: 'Passes', View: Passes };

type Row = PassesSection['rows'][number];

const TONES = { changed: 'better', unchanged: 'neutral', skipped: 'warning', failed: 'danger' } as const;

function Passes({ data }: SectionProps<'passes'>) {
  // A recipe may name a pass twice: its place in the recipe tells them apart.
  const noted = data.rows
    .map((row, place) => ({ row, id: `${place} ${row.pass}` }))
    .filter(({ row }) => row.notes.length > 0);
  const unreadable = data.rows.flatMap(({ title, calibration }) =>
    calibration?.skipped === undefined ? [] : [{ title, skipped: calibration.skipped }],
  );
  return (
    <>
      <DataTable
        caption="What each pass did"
        quiet
        columns={[
          { label: 'Pass' },
          { label: 'Status' },
          { label: 'What it did' },
          { label: 'Nodes', numeric: true },
          { label: 'Time', numeric: true },
        ]}
        rows={data.rows.map((row, index) => ({
          id: `${index} ${row.pass}`,
          cells: [
            <Name key="title" text={row.title} />,
            <Pill key="status" tone={TONES[row.status]}>
              {row.status}
            </Pill>,
            <WhatItDid key="did" row={row} />,
            `${formatCount(row.nodesBefore)} → ${formatCount(row.nodesAfter)}`,
            formatMs(row.ms),
          ],
        }))}
      />
      {unreadable.map(({ title, skipped }, place) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a recipe may name a pass twice, and its place tells them apart
        <Details key={place} summary={`${visible(title)}: ${plural(skipped.count, 'calibration sample')} left out`}>
          <DataTable
            caption={`Calibration samples that could not be read${skipped.count > skipped.listed.length ? `, the first ${skipped.listed.length}` : ''}`}
            columns={[{ label: 'Sample' }, { label: 'Why' }]}
            rows={skipped.listed.map(({ sample, reason }) => ({
              id: sample,
              cells: [<Name key="sample" text={sample} />, <Name key="reason" text={reason} />],
            }))}
          />
        </Details>
      ))}
      {noted.map(({ row, id }) => (
        <Details key={id} summary={`${visible(row.title)}: ${plural(row.notes.length, 'note')}`}>
          <DataTable
            caption={`Notes of ${visible(row.title)}`}
            columns={[{ label: 'Node' }, { label: 'Note' }]}
            rows={row.notes.map((note, number) => ({
              id: String(number),
              cells: [<Name key="node" text={note.node ?? 'whole model'} />, <Name key="note" text={note.message} />],
            }))}
          />
        </Details>
      ))}
    </>
  );
}

function WhatItDid({ row }: { readonly row: Row }) {
  const counts = Object.entries(row.counts).map(([what, count]) => `${what}: ${formatCount(count)}`);
  const calibration =
    row.calibration === undefined
      ? []
      : [`calibrated with ${plural(row.calibration.samples, row.calibration.random ? 'random input' : 'sample')}`];
  const reasons = [row.reason, row.error?.message].filter((reason) => reason !== undefined);
  return <Name text={[...counts, ...calibration, ...reasons].join('; ')} />;
}
