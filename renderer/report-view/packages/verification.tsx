/** Each artifact on its own runtime: how it did, what went wrong, and the metric through it. */
import {
  formatCount,
  formatDelta,
  formatDifference,
  formatNumber,
  formatPlain,
  formatShare,
  plural,
} from '../../../native-workers/report/format.ts';
import { labelOfMetric, unitOfMetric } from '../../../native-workers/report/metric.ts';
import { visible } from '../../../native-workers/report/text.ts';
import { DataTable, Details, Name, Pill, WithInterval } from '../parts.tsx';
import { type Artifact, nameOf } from './artifact.ts';

const VERIFIED = {
  passed: { tone: 'better', word: 'passed' },
  failed: { tone: 'danger', word: 'failed' },
  refused: { tone: 'danger', word: 'refused' },
  'not-run': { tone: 'neutral', word: 'not run' },
} as const;

/** How an artifact did on one runtime; further runtimes tell less. */
interface RuntimeRow {
  readonly name: string;
  readonly runtime: string;
  readonly status: keyof typeof VERIFIED;
  readonly reason: string | null;
  readonly samples: number;
  readonly maxAbs: number | null;
  readonly reference: number | null;
  readonly cosine: number | null;
  readonly top1Agreement: number | null;
  readonly steps: NonNullable<Artifact['verified']>['steps'];
}

function runtimeRows(artifact: Artifact): RuntimeRow[] {
  const { verified } = artifact;
  if (verified === null) return [];
  const { variants = [], ...main } = verified;
  return [main, ...variants].flatMap((file) => rowsOfFile(file, nameOf(artifact)));
}

function rowsOfFile(
  { others = [], reason, ...main }: Omit<NonNullable<Artifact['verified']>, 'variants'>,
  artifact: string,
): RuntimeRow[] {
  const name = main.file === undefined ? artifact : `${artifact}, ${main.file}`;
  return [
    { ...main, name, reason: reason ?? null },
    ...others.map((other) => ({
      ...other,
      name,
      reason: other.reason ?? null,
      reference: main.reference,
      top1Agreement: null,
      steps: null,
    })),
  ];
}

export function Verification({ artifacts }: { readonly artifacts: readonly Artifact[] }) {
  const made = artifacts.filter(({ status }) => status === 'made');
  const rows = made.flatMap(runtimeRows);
  if (made.length === 0) return null;
  return (
    <>
      <DataTable
        caption="Each on its own runtime, compared with the model it was made from"
        columns={[
          { label: 'Target' },
          { label: 'Runtime' },
          { label: 'Outcome' },
          { label: 'Largest difference', numeric: true },
          { label: 'Cosine', numeric: true },
        ]}
        rows={[
          ...rows.map((row, place) => ({ id: `${place} ${row.runtime}`, cells: runtimeCells(row) })),
          ...made
            .filter(({ verified }) => verified === null)
            .map((artifact) => ({
              id: artifact.path,
              cells: [<Name key="target" text={nameOf(artifact)} />, '', 'not run', '', ''],
            })),
        ]}
      />
      <ul className="report-notes" aria-label="What the checks found">
        {rows.map(({ name, runtime, status, reason }) =>
          reason === null ? null : (
            <li key={`${name} ${runtime}`}>
              <strong>
                {visible(name)}, {VERIFIED[status].word} on {visible(runtime)}:
              </strong>{' '}
              {visible(reason)}
            </li>
          ),
        )}
        {made.map((artifact) => {
          const { verified } = artifact;
          const diverges = [verified, ...(verified?.variants ?? [])].find((file) => file?.diverges)?.diverges;
          return diverges === undefined ? null : (
            <li key={`${artifact.path} diverges`}>
              <strong>{visible(nameOf(artifact))}</strong> first differs at <Name text={diverges.node} /> (
              {visible(diverges.type)}), which is <Name text={diverges.artifact} /> in the artifact, by{' '}
              {formatPlain(diverges.maxAbs)}.
            </li>
          );
        })}
      </ul>
      {made.map((artifact) => (
        <ErrorLines
          key={artifact.path}
          name={nameOf(artifact)}
          lines={[artifact.verified, ...(artifact.verified?.variants ?? [])].flatMap((file) => file?.errors ?? [])}
        />
      ))}
      <ArtifactMetrics artifacts={made} />
    </>
  );
}

function ErrorLines({ name, lines }: { readonly name: string; readonly lines: readonly string[] }) {
  if (lines.length === 0) return null;
  return (
    <Details summary={`${visible(name)}: ${plural(lines.length, 'error line')} of the runtime`}>
      <div className="report-code">
        <pre>{lines.map(visible).join('\n')}</pre>
      </div>
    </Details>
  );
}

function runtimeCells({ name, runtime, status, samples, maxAbs, reference, cosine, top1Agreement, steps }: RuntimeRow) {
  const { tone, word } = VERIFIED[status];
  const same = top1Agreement === null ? '' : `${formatShare(top1Agreement)} the same answer`;
  return [
    <Name key="target" text={name} />,
    <Name key="runtime" text={runtime} />,
    <WithInterval
      key="outcome"
      value={<Pill tone={tone}>{word}</Pill>}
      interval={samples === 0 ? '' : plural(samples, 'sample').replace(' ', '\u00a0')}
    />,
    maxAbs === null ? (
      ''
    ) : (
      <WithInterval
        key="difference"
        value={formatDifference(maxAbs)}
        interval={steps === null ? shareOf(maxAbs, reference) : stepsOf(steps)}
      />
    ),
    cosine === null ? '' : <WithInterval key="cosine" value={formatPlain(cosine)} interval={same} />,
  ];
}

/** Of floats, by the largest of them; of integers that says nothing. */
function shareOf(maxAbs: number, reference: number | null): string {
  return reference === null || reference === 0 ? '' : `${formatSmallShare(maxAbs / reference)} of the largest output`;
}

function stepsOf({ max, withinOne }: NonNullable<RuntimeRow['steps']>): string {
  return `at most ${plural(max, 'step')}, ${formatShare(withinOne)} within one`;
}

/** The metric of the task through each artifact's own runtime. */
function ArtifactMetrics({ artifacts }: { readonly artifacts: readonly Artifact[] }) {
  const rows = artifacts.flatMap((artifact) =>
    (artifact.verified?.metrics ?? []).map((metric) => ({ name: nameOf(artifact), metric })),
  );
  if (rows.length === 0) return null;
  return (
    <DataTable
      caption="The metric on your data, through each artifact's own runtime"
      columns={[
        { label: 'Target' },
        { label: 'Metric' },
        { label: 'Model', numeric: true },
        { label: 'Artifact', numeric: true },
        { label: 'Change', numeric: true },
        { label: 'Samples', numeric: true },
      ]}
      rows={rows.map(({ name, metric }) => {
        const unit = unitOfMetric(metric);
        return {
          id: `${name} ${metric.name}`,
          cells: [
            <Name key="target" text={name} />,
            <Name key="metric" text={labelOfMetric(metric)} />,
            formatNumber(metric.before, unit),
            formatNumber(metric.after, unit),
            formatDelta(metric.after - metric.before, unit),
            formatCount(metric.samples),
          ],
        };
      })}
    />
  );
}

/** Differences of float arithmetic are far below a percent: `0.00012 %`. */
function formatSmallShare(share: number): string {
  const percent = share * 100;
  return percent === 0 || percent >= 0.1 ? formatShare(share) : `${Number(percent.toPrecision(2))} %`;
}
