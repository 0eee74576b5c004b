import {
  formatCount,
  formatDelta,
  formatDeltaRange,
  formatNumber,
  formatPoints,
  formatProbability,
  formatRange,
  formatShare,
  plural,
} from '../../../native-workers/report/format.ts';
import { labelOfMetric, unitOfMetric } from '../../../native-workers/report/metric.ts';
import type { AccuracySection } from '../../../native-workers/report/sections/accuracy.ts';
import { gapSentence } from '../../../native-workers/report/subgroups.ts';
import { ConfusedPairs, Confusion } from '../confusion.tsx';
import { FLIP_KINDS, FlipGallery } from '../flip-gallery.tsx';
import { DataTable, Details, JudgementPill, Name, Pill, WithInterval } from '../parts.tsx';
import type { SectionProps, SectionView } from '../section-view.tsx';

export const accuracyView: SectionView<'accuracy'> = { title: 'Accuracy', View: Accuracy };

function Accuracy({ data }: SectionProps<'accuracy'>) {
  const { dataset } = data;
  return (
    <>
      {dataset === null ? null : (
        <p>
          On <Name text={dataset.name} /> ({plural(dataset.samples, 'sample')}, {dataset.kind}), the same samples for
          both models.
        </p>
      )}
      <DataTable
        caption="Metrics"
        quiet
        columns={[
          { label: 'Metric' },
          { label: 'Before (95 % interval)', numeric: true },
          { label: 'After (95 % interval)', numeric: true },
          { label: 'Change (95 % interval)', numeric: true },
          { label: 'Judgement' },
          { label: 'p', numeric: true },
          { label: 'Paired test' },
        ]}
        rows={data.metrics.map((metric) => ({ id: metric.name, cells: metricCells(metric) }))}
      />
      <Flips flips={data.flips} />
      {data.subgroups === null ? null : <Subgroups subgroups={data.subgroups} metrics={data.metrics} />}
      {data.byClass === null ? null : <ByClass rows={data.byClass} />}
      {data.confusion === null ? null : <Confusion matrix={data.confusion} />}
      {data.confusion !== null || data.confused === null ? null : <ConfusedPairs confused={data.confused} />}
      {data.iouByClass === null ? null : <IouByClass rows={data.iouByClass} />}
      {data.skipped.length === 0 ? null : (
        <Details summary={`${plural(data.skipped.length, 'sample')} could not be read`}>
          <DataTable
            caption="Samples left out"
            columns={[{ label: 'Sample' }, { label: 'Why' }]}
            rows={data.skipped.map(({ sample, reason }) => ({
              id: sample,
              cells: [<Name key="sample" text={sample} />, <Name key="reason" text={reason} />],
            }))}
          />
        </Details>
      )}
    </>
  );
}

function metricCells(metric: AccuracySection['metrics'][number]) {
  const unit = unitOfMetric(metric);
  const { before, after, intervalBefore, intervalAfter, delta, interval, p, test } = metric;
  return [
    <Name key="name" text={labelOfMetric(metric)} />,
    <WithInterval key="before" value={formatNumber(before, unit)} interval={formatRange(intervalBefore, unit)} />,
    <WithInterval key="after" value={formatNumber(after, unit)} interval={formatRange(intervalAfter, unit)} />,
    <WithInterval key="change" value={formatDelta(delta, unit)} interval={formatDeltaRange(interval, unit)} />,
    <JudgementPill key="judgement" judgement={metric.judgement} />,
    p === null ? 'none' : formatProbability(p),
    <Name key="test" text={test ?? 'none'} />,
  ];
}

function Flips({ flips }: { readonly flips: AccuracySection['flips'] }) {
  const total = flips.broken + flips.fixed + flips.changed;
  if (flips.compared === 0) return null;
  if (total === 0) return <p>No sample changed its answer, of {formatCount(flips.compared)} compared.</p>;
  const more = total - flips.rows.length;
  return (
    <>
      <h3>Samples whose answer changed</h3>
      <p>
        {formatCount(flips.broken)} right before and wrong now, {formatCount(flips.fixed)} wrong before and right now,{' '}
        {formatCount(flips.changed)} changed otherwise, of {formatCount(flips.compared)} compared.
        {more > 0 ? ` The first ${flips.rows.length} are listed.` : ''}
      </p>
      <FlipGallery rows={flips.rows} />
      <div className="report-tall">
        <DataTable
          caption="Samples whose answer changed"
          quiet
          columns={[
            { label: 'Sample' },
            { label: 'What happened' },
            { label: 'Label' },
            { label: 'Before' },
            { label: 'After' },
          ]}
          rows={flips.rows.map((flip) => ({
            id: flip.sample,
            cells: [
              <Name key="sample" text={flip.sample} />,
              <Pill key="kind" tone={FLIP_KINDS[flip.kind].tone}>
                {FLIP_KINDS[flip.kind].word}
              </Pill>,
              flip.label === null ? 'no label' : <Name key="label" text={flip.label} />,
              <Name key="before" text={flip.before} />,
              <Name key="after" text={flip.after} />,
            ],
          }))}
        />
      </div>
    </>
  );
}

function ByClass({ rows }: { readonly rows: NonNullable<AccuracySection['byClass']> }) {
  return (
    <Details summary={`By class: ${plural(rows.length, 'class', 'classes')}`}>
      <DataTable
        caption="Recall, precision and F1 by class, the largest losses of recall first"
        columns={[
          { label: 'Class' },
          { label: 'Samples', numeric: true },
          { label: 'Recall before', numeric: true },
          { label: 'Recall after', numeric: true },
          { label: 'Change', numeric: true },
          { label: 'Precision before', numeric: true },
          { label: 'Precision after', numeric: true },
          { label: 'F1 before', numeric: true },
          { label: 'F1 after', numeric: true },
        ]}
        rows={rows.map(({ label, samples, recall, precision, f1 }) => ({
          id: label,
          cells: [
            <Name key="label" text={label} />,
            formatCount(samples),
            formatShare(recall.before),
            formatShare(recall.after),
            formatPoints(recall.after - recall.before),
            formatShare(precision.before),
            formatShare(precision.after),
            formatShare(f1.before),
            formatShare(f1.after),
          ],
        }))}
      />
    </Details>
  );
}

function IouByClass({ rows }: { readonly rows: NonNullable<AccuracySection['iouByClass']> }) {
  return (
    <Details summary={`By class: ${plural(rows.length, 'class', 'classes')}`}>
      <DataTable
        caption="Intersection over union by class, the largest losses first"
        columns={[
          { label: 'Class' },
          { label: 'Before', numeric: true },
          { label: 'After', numeric: true },
          { label: 'Change', numeric: true },
        ]}
        rows={rows.map(({ label, before, after }) => ({
          id: label,
          cells: [
            <Name key="label" text={label} />,
            formatShare(before),
            formatShare(after),
            formatPoints(after - before),
          ],
        }))}
      />
    </Details>
  );
}

interface SubgroupsProps {
  readonly subgroups: NonNullable<AccuracySection['subgroups']>;
  readonly metrics: AccuracySection['metrics'];
}

function Subgroups({ subgroups, metrics }: SubgroupsProps) {
  const { metric, groups } = subgroups;
  const unit = unitOfMetric(metrics.find(({ name }) => name === metric) ?? { unit: '1' });
  const sentence = gapSentence(subgroups, unit);
  return (
    <>
      <h3>By subgroup</h3>
      <DataTable
        caption={`${labelOfMetric({ name: metric })} by subgroup`}
        columns={[
          { label: 'Subgroup' },
          { label: 'Samples', numeric: true },
          { label: 'Before', numeric: true },
          { label: 'After', numeric: true },
          { label: 'Change (95 % interval)', numeric: true },
          { label: 'p', numeric: true },
        ]}
        rows={groups.map(({ group, samples, before, after, delta, interval, p }) => ({
          id: group,
          cells: [
            <Name key="group" text={group} />,
            formatCount(samples),
            formatNumber(before, unit),
            formatNumber(after, unit),
            <WithInterval key="change" value={formatDelta(delta, unit)} interval={formatDeltaRange(interval, unit)} />,
            p === null ? 'none' : formatProbability(p),
          ],
        }))}
      />
      {sentence === null ? null : <p>{sentence}</p>}
    </>
  );
}
