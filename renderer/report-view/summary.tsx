/** The top of the report: what was done, the verdict in one sentence, four answers, and what to beware of. */
import type { ReportDocument, Warning } from '../../native-workers/report/document.ts';
import {
  formatBytes,
  formatChange,
  formatDelta,
  formatDeltaRange,
  formatNumber,
  formatRatio,
  formatTimes,
  plural,
} from '../../native-workers/report/format.ts';
import { labelOfMetric, unitOfMetric } from '../../native-workers/report/metric.ts';
import { dataOf } from '../../native-workers/report/outcome.ts';
import { visible } from '../../native-workers/report/text.ts';
import { Details, Name, Pill, type Tone } from './parts.tsx';

export function Summary({ report }: { readonly report: ReportDocument }) {
  const { run, verdict } = report;
  return (
    <header className="report-header">
      <h1>
        <Name text={run.title} />
      </h1>
      <p className="report-meta">
        Model <Name text={run.model} />, <time dateTime={run.created}>{dayOf(run.created)}</time>, run {visible(run.id)}
        , Hone {visible(report.hone)}
        {run.status === 'partial' ? <Pill tone="warning">partial: not every stage finished</Pill> : null}
      </p>
      <p className="report-verdict">{visible(verdict.sentence)}</p>
      <dl className="report-answers">
        {answersOf(report).map(({ label, value, detail, tone, word }) => (
          <div key={label} className={`report-answer report-edge-${tone}`}>
            <dt>{label}</dt>
            <dd>
              <span className="report-answer-value">{value}</span>
              <Pill tone={tone}>{word}</Pill>
              <span className="report-answer-detail">{detail}</span>
            </dd>
          </div>
        ))}
      </dl>
    </header>
  );
}

function dayOf(iso: string): string {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return visible(iso);
  return `${date.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

interface Answer {
  readonly label: string;
  readonly value: string;
  readonly detail: string;
  readonly tone: Tone;
  readonly word: string;
}

function answersOf(report: ReportDocument): Answer[] {
  return [speedAnswer(report), sizeAnswer(report), accuracyAnswer(report), budgetAnswer(report)];
}

const NONE = '–';

function speedAnswer({ verdict, sections }: ReportDocument): Answer {
  const pair = dataOf(sections.latency)?.pairs[0];
  const tones = {
    faster: 'better',
    slower: 'worse',
    inconclusive: 'neutral',
    'not-measured': 'neutral',
    failed: 'danger',
  } as const;
  const common = { label: 'Speed', tone: tones[verdict.speed], word: verdict.speed.replace('-', ' ') };
  if (pair === undefined || pair.ratio === null) return { ...common, value: NONE, detail: '' };
  const { value, low, high, confidence } = pair.ratio;
  const sure = `${Math.round(confidence * 100)} % interval`;
  const where = `on ${visible(pair.provider)}`;
  // `1.24×` beside the word slower, `1.70×` beside the word faster; an interval around no change is one of speeds.
  if (verdict.speed === 'slower') {
    return {
      ...common,
      value: formatTimes(value),
      detail: `${sure} ${formatRatio(low)} to ${formatRatio(high)}, ${where}`,
    };
  }
  const detail = `${sure} ${formatRatio(1 / high)} to ${formatRatio(1 / low)}${verdict.speed === 'faster' ? '' : ' of the speed before'}, ${where}`;
  return { ...common, value: formatRatio(1 / value), detail };
}

function sizeAnswer({ verdict, sections }: ReportDocument): Answer {
  const size = dataOf(sections.size);
  const tones = { smaller: 'better', larger: 'worse', same: 'neutral', 'not-measured': 'neutral' } as const;
  const common = { label: 'Size on disk', tone: tones[verdict.size], word: verdict.size.replace('-', ' ') };
  if (size === null || size.after === null || size.ratio === null) return { ...common, value: NONE, detail: '' };
  const detail = `${formatBytes(size.before.file)} to ${formatBytes(size.after.file)}`;
  return { ...common, value: formatChange(size.ratio), detail };
}

function accuracyAnswer({ verdict, sections }: ReportDocument): Answer {
  const tones = {
    better: 'better',
    worse: 'worse',
    inconclusive: 'neutral',
    same: 'neutral',
    close: 'neutral',
    far: 'worse',
    'not-measured': 'neutral',
  } as const;
  const words = { ...WORDS_OF_ACCURACY, 'not-measured': 'not measured' };
  const common = { tone: tones[verdict.accuracy], word: words[verdict.accuracy] };
  const metric = dataOf(sections.accuracy)?.metrics[0];
  if (metric !== undefined) {
    const unit = unitOfMetric(metric);
    const detail = `95 % interval ${formatDeltaRange(metric.interval, unit)}`;
    return { ...common, label: visible(labelOfMetric(metric)), value: formatDelta(metric.delta, unit), detail };
  }
  const worst = dataOf(sections.fidelity)?.worst;
  if (worst === undefined || worst.cosine === null) return { ...common, label: 'Accuracy', value: NONE, detail: '' };
  const detail = 'cosine to the original, worst output';
  const word = verdict.accuracy === 'inconclusive' ? 'too few answers compared' : common.word;
  return { ...common, word, label: 'Fidelity, without labels', value: formatNumber(worst.cosine, '1'), detail };
}

const WORDS_OF_ACCURACY = {
  better: 'better',
  worse: 'worse',
  inconclusive: 'no proven change',
  same: 'same',
  close: 'close',
  far: 'far off',
};

function budgetAnswer({ verdict, budgets }: ReportDocument): Answer {
  const tones = { met: 'better', missed: 'worse', 'not-measured': 'danger', none: 'neutral' } as const;
  const common = { label: 'Budgets', tone: tones[verdict.budgets] };
  if (budgets.length === 0) return { ...common, value: NONE, word: 'none set', detail: '' };
  const met = budgets.filter((budget) => budget.status === 'met').length;
  const missed = budgets
    .filter((budget) => budget.status !== 'met')
    .map((budget) => visible(budget.label).toLowerCase());
  const detail = missed.length === 0 ? '' : `not met: ${missed.join(', ')}`;
  return { ...common, value: `${met} of ${budgets.length}`, word: verdict.budgets.replace('-', ' '), detail };
}

const SEVERITIES: Record<Warning['severity'], string> = { serious: 'Warning', caution: 'Caution', note: 'Note' };

/** Notes are many and seldom urgent: more than these are folded. */
const FEW_NOTES = 2;

export function Warnings({ warnings }: { readonly warnings: readonly Warning[] }) {
  const urgent = warnings.filter(({ severity }) => severity !== 'note');
  const notes = warnings.filter(({ severity }) => severity === 'note');
  if (warnings.length === 0) return null;
  return (
    <div className="report-warning-box">
      {urgent.length === 0 ? null : <WarningList label="Warnings" warnings={urgent} />}
      {notes.length === 0 ? null : notes.length <= FEW_NOTES ? (
        <WarningList label="Notes" warnings={notes} />
      ) : (
        <Details summary={plural(notes.length, 'note')}>
          <WarningList label="Notes" warnings={notes} />
        </Details>
      )}
    </div>
  );
}

function WarningList({ label, warnings }: { readonly label: string; readonly warnings: readonly Warning[] }) {
  return (
    <ul className="report-warnings" aria-label={label}>
      {warnings.map(({ code, severity, message }) => (
        <li key={`${code} ${message}`} className={`report-warning report-warning-${severity}`}>
          <strong>{SEVERITIES[severity]}</strong> <span>{visible(message)}</span>
        </li>
      ))}
    </ul>
  );
}
