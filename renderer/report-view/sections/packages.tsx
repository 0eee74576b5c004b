import {
  formatBytes,
  formatCount,
  formatDelta,
  formatNumber,
  formatPlain,
  formatShare,
  plural,
} from '../../../native-workers/report/format.ts';
import { labelOfMetric, unitOfMetric } from '../../../native-workers/report/metric.ts';
import type { PackagesSection } from '../../../native-workers/report/sections/packages.ts';
import { visible } from '../../../native-workers/report/text.ts';
import { DataTable, Details, Name, Pill, WithInterval } from '../parts.tsx';
import type { SectionProps, SectionView } from '../section-view.tsx';

export const packagesView: SectionView<'packages'> = { title: 'Packages for devices', View: Packages };

type Artifact = PackagesSection['artifacts'][number];

const MADE = { made: 'better', unsupported: 'warning', failed: 'danger' } as const;
const VERIFIED = {
  passed: { tone: 'better', word: 'passed' },
  failed: { tone: 'danger', word: 'failed' },
  refused: { tone: 'danger', word: 'refused' },
  'not-run': { tone: 'neutral', word: 'not run' },
} as const;

function Packages({ data }: SectionProps<'packages'>) {
  const { artifacts, sizes } = data;
  const needing = artifacts.filter((artifact) => loadsOf(artifact).length > 0);
  return (
    <>
      <Made artifacts={artifacts} />
      <Verified artifacts={artifacts} />
      {needing.length === 0 ? null : <Needs artifacts={needing} />}
      {sizes.length === 0 ? null : <Sizes sizes={sizes} />}
      {artifacts.map((artifact) => (
        <Unsupported key={nameOf(artifact)} artifact={artifact} />
      ))}
      {artifacts.map((artifact) => (
        <Files key={nameOf(artifact)} artifact={artifact} />
      ))}
      <Notes artifacts={artifacts} />
    </>
  );
}

function Made({ artifacts }: { readonly artifacts: readonly Artifact[] }) {
  return (
    <DataTable
      caption="What was made"
      columns={[
        { label: 'Target' },
        { label: 'Status' },
        { label: 'Size', numeric: true },
        { label: 'Nodes covered', numeric: true },
        { label: 'File' },
      ]}
      rows={artifacts.map(({ status, error, bytes, coverage, path, ...artifact }, place) => ({
        id: `${place} ${path}`,
        cells: [
          <Name
            key="target"
            text={artifact.model === undefined ? artifact.target : `${artifact.target}, ${artifact.model}`}
          />,
          <span key="status">
            <Pill tone={MADE[status]}>{status}</Pill> {error === undefined ? null : visible(error.message)}
          </span>,
          status === 'made' ? formatBytes(bytes) : '',
          `${formatCount(coverage.supported)} of ${formatCount(coverage.nodes)}`,
          <Name key="path" text={path} />,
        ],
      }))}
    />
  );
}

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
  const name = nameOf(artifact);
  if (verified === null) return [];
  const { others = [], reason = null, ...main } = verified;
  return [
    { ...main, name, reason },
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

function Verified({ artifacts }: { readonly artifacts: readonly Artifact[] }) {
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
          { label: 'Samples', numeric: true },
          { label: 'Largest difference', numeric: true },
          { label: 'Cosine', numeric: true },
          { label: 'Same answer', numeric: true },
          { label: 'Steps', numeric: true },
        ]}
        rows={[
          ...rows.map((row, place) => ({ id: `${place} ${row.runtime}`, cells: runtimeCells(row) })),
          ...made
            .filter(({ verified }) => verified === null)
            .map((artifact) => ({
              id: artifact.path,
              cells: [<Name key="target" text={nameOf(artifact)} />, '', 'not run', '', '', '', '', ''],
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
          const diverges = artifact.verified?.diverges;
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
        <ErrorLines key={artifact.path} name={nameOf(artifact)} lines={artifact.verified?.errors ?? []} />
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
  const share =
    maxAbs === null || reference === null || reference === 0
      ? ''
      : `${formatSmallShare(maxAbs / reference)} of the largest output`;
  return [
    <Name key="target" text={name} />,
    <span key="runtime" className="report-nowrap">
      <Name text={runtime} />
    </span>,
    <Pill key="outcome" tone={tone}>
      {word}
    </Pill>,
    formatCount(samples),
    maxAbs === null ? '' : <WithInterval key="difference" value={formatDifference(maxAbs)} interval={share} />,
    cosine === null ? '' : formatPlain(cosine),
    top1Agreement === null ? '' : formatShare(top1Agreement),
    steps === null ? (
      ''
    ) : (
      <WithInterval
        key="steps"
        value={`at most ${formatCount(steps.max)}`}
        interval={`${formatShare(steps.withinOne)} within one`}
      />
    ),
  ];
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

/** A package may hold several models. */
function nameOf({ target, model }: Artifact): string {
  return model === undefined ? target : `${target}, ${model}`;
}

/** Differences of float arithmetic are small: `1.9e-6`. */
function formatDifference(value: number): string {
  return value === 0 || value >= 0.001 ? formatPlain(value) : value.toExponential(1).replace('-', '\u2212');
}

/** Differences of float arithmetic are far below a percent: `0.00012 %`. */
function formatSmallShare(share: number): string {
  const percent = share * 100;
  return percent === 0 || percent >= 0.1 ? formatShare(share) : `${Number(percent.toPrecision(2))} %`;
}

/** Will it load there? A row for each thing that the device must have, with what of the artifact asks for it. */
function Needs({ artifacts }: { readonly artifacts: readonly Artifact[] }) {
  return (
    <DataTable
      caption="Will it load there? What the device must have, at least"
      columns={[{ label: 'Target' }, { label: 'Where' }, { label: 'Version or newer' }, { label: 'Because of' }]}
      rows={artifacts.flatMap((artifact) =>
        loadsOf(artifact).map(({ where, minimum, why }) => ({
          id: `${artifact.path} ${where}`,
          cells: [
            <Name key="target" text={nameOf(artifact)} />,
            <Name key="where" text={where} />,
            <Name key="minimum" text={minimum} />,
            <Name key="why" text={why} />,
          ],
        })),
      )}
    />
  );
}

/** What the artifact told; else what it requires, without the why. */
function loadsOf({ loads, requires }: Artifact): NonNullable<Artifact['loads']> {
  return loads ?? Object.entries(requires).map(([where, minimum]) => ({ where, minimum, why: '' }));
}

/** A row for each target, a column for each device profile. */
function Sizes({ sizes }: { readonly sizes: PackagesSection['sizes'] }) {
  const profiles = [...new Map(sizes.map(({ profile, budget }) => [profile, budget]))];
  const targets = [...new Map(sizes.map(({ target, bytes }) => [target, bytes]))];
  return (
    <DataTable
      caption="Size against the budgets of device profiles"
      columns={[
        { label: 'Target' },
        { label: 'Size', numeric: true },
        ...profiles.map(([profile, budget]) => ({ label: `${visible(profile)}, ${formatBytes(budget)}` })),
      ]}
      rows={targets.map(([target, bytes]) => ({
        id: target,
        cells: [
          <Name key="target" text={target} />,
          formatBytes(bytes),
          ...profiles.map(([profile]) => {
            const found = sizes.find((size) => size.target === target && size.profile === profile);
            return found === undefined ? (
              ''
            ) : (
              <Pill key={profile} tone={found.fits ? 'better' : 'worse'}>
                {found.fits ? 'fits' : 'too large'}
              </Pill>
            );
          }),
        ],
      }))}
    />
  );
}

/** Which operators, how many of each, why; then every node. */
function Unsupported({ artifact: { target, coverage } }: { readonly artifact: Artifact }) {
  const { unsupported } = coverage;
  if (unsupported.length === 0) return null;
  const groups = new Map<string, { type: string; reason: string; nodes: string[] }>();
  for (const { node, type, reason } of unsupported) {
    const group = groups.get(`${type} ${reason}`) ?? { type, reason, nodes: [] };
    group.nodes.push(node);
    groups.set(`${type} ${reason}`, group);
  }
  return (
    <DataTable
      caption={`What ${visible(target)} cannot express: ${plural(unsupported.length, 'node')}`}
      columns={[{ label: 'Operator' }, { label: 'Nodes', numeric: true }, { label: 'Why' }, { label: 'Which' }]}
      rows={[...groups].map(([id, { type, reason, nodes }]) => ({
        id,
        cells: [
          <Name key="type" text={type} />,
          formatCount(nodes.length),
          <Name key="reason" text={reason} />,
          <Name key="nodes" text={nodes.join(', ')} />,
        ],
      }))}
    />
  );
}

function Files({ artifact: { target, files } }: { readonly artifact: Artifact }) {
  if (files.length === 0) return null;
  return (
    <Details summary={`${visible(target)}: ${plural(files.length, 'file')} with their hashes`}>
      <DataTable
        caption={`Files of the package for ${visible(target)}`}
        columns={[{ label: 'File' }, { label: 'Size', numeric: true }, { label: 'SHA-256' }]}
        rows={files.map(({ path, bytes, sha256 }) => ({
          id: path,
          cells: [
            <Name key="path" text={path} />,
            formatBytes(bytes),
            <code key="hash" className="report-hash">
              {sha256}
            </code>,
          ],
        }))}
      />
    </Details>
  );
}

function Notes({ artifacts }: { readonly artifacts: readonly Artifact[] }) {
  const notes = artifacts.flatMap(({ target, notes: all }) => all.map((note) => ({ target, note })));
  if (notes.length === 0) return null;
  return (
    <ul className="report-notes" aria-label="Notes on the packages">
      {notes.map(({ target, note }) => (
        <li key={`${target} ${note}`}>
          <strong>{visible(target)}</strong> {visible(note)}
        </li>
      ))}
    </ul>
  );
}
