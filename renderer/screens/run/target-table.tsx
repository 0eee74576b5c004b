/** Targets while their packages are made: what each covers, its size, and every check on a runtime with what it has measured. */
import { Ban, CircleCheck, CircleDashed, CircleMinus, CircleX, Loader } from 'lucide-react';
import { useEffect, useRef } from 'react';
import type { Live, LiveCheck, LiveTarget } from '../../../native-workers/protocol/live.ts';
import { useSession } from '../../stores/session.ts';
import { formatBytes, formatCosine, formatDifference, formatMetric, formatShare } from '../../text/format.ts';
import { RUN } from '../../text/run.ts';
import { Cut } from '../../widgets/cut.tsx';

const TEXT = RUN.targets;
const COLUMNS = 6;
const ENDED: ReadonlySet<LiveTarget['step']> = new Set(['done', 'failed', 'cancelled']);

export function TargetTable({ live }: { readonly live: Extract<Live, { kind: 'targets' }> }) {
  const { targets, total } = live;
  const titles = useSession((session) => session.hello?.targets);
  const nameOf = ({ target, model }: LiveTarget): string => {
    const title = titles?.find(({ id }) => id === target)?.title ?? target;
    return model === undefined ? title : `${title}, ${model}`;
  };
  const ended = targets.filter(({ step }) => step === 'done' || step === 'failed');
  const last = ended.at(-1);
  const scroller = useRef<HTMLElement>(null);
  const current = targets.findIndex(({ step }) => !ENDED.has(step));
  useEffect(() => {
    if (current > 0) scroller.current?.querySelectorAll('tbody')[current]?.scrollIntoView({ block: 'nearest' });
  }, [current]);
  return (
    <div className="pane targets">
      <h2 className="pane-title" id="targets">
        {TEXT.title}{' '}
        <span className="pane-detail">
          {targets.length === total ? TEXT.of(ended.length, total) : TEXT.more(targets.length, total)}
        </span>
      </h2>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard. */}
      <section className="targets-scroll" ref={scroller} tabIndex={0} aria-labelledby="targets">
        <table className="targets-table">
          <colgroup>
            <col />
            <col span={4} className="targets-number-column" />
            <col className="targets-status-column" />
          </colgroup>
          <thead>
            <tr>
              <th scope="col">{TEXT.columns.name}</th>
              <th scope="col" className="numeric">
                {TEXT.columns.samples}
              </th>
              <th scope="col" className="numeric">
                {TEXT.columns.maxAbs}
              </th>
              <th scope="col" className="numeric">
                {TEXT.columns.cosine}
              </th>
              <th scope="col" className="numeric">
                {TEXT.columns.same}
              </th>
              <th scope="col">{TEXT.columns.status}</th>
            </tr>
          </thead>
          {targets.map((target) => (
            <Target key={`${target.target} ${target.model ?? ''}`} target={target} name={nameOf(target)} />
          ))}
        </table>
      </section>
      {/* Read aloud once for each target, when it has come to its end. */}
      <div className="only-spoken" role="status" aria-live="polite">
        {last === undefined ? '' : TEXT.ended(nameOf(last), last.step === 'failed' ? (last.reason ?? '') : undefined)}
      </div>
    </div>
  );
}

function Target({ target, name }: { readonly target: LiveTarget; readonly name: string }) {
  const { step, coverage, bytes, checks, metrics, reason } = target;
  const facts = [
    ...(coverage === null ? [] : [TEXT.covers(coverage.supported, coverage.nodes)]),
    ...(bytes === null ? [] : [formatBytes(bytes)]),
  ];
  return (
    <tbody className={`targets-rows targets-${step}`}>
      <tr className="targets-head">
        <th scope="rowgroup" colSpan={COLUMNS - 1}>
          <span className="targets-line">
            <Cut text={name} className="targets-name" />
            <span className="targets-facts numeric">{facts.join(', ')}</span>
          </span>
        </th>
        <td>
          <Status status={step} word={TEXT.step[step]} />
        </td>
      </tr>
      {checks.map((check, place) => {
        const isFirstOfFile = check.file !== undefined && check.file !== checks[place - 1]?.file;
        return [
          isFirstOfFile ? (
            <tr key={check.file} className="targets-file">
              <th scope="rowgroup" colSpan={COLUMNS}>
                <Cut text={check.file ?? ''} />
              </th>
            </tr>
          ) : null,
          // biome-ignore lint/suspicious/noArrayIndexKey: checks of a target keep their places.
          <Check key={`${place} ${check.file}`} check={check} />,
        ];
      })}
      {metrics.map(({ name: metric, unit, before, after }) => (
        <tr key={metric}>
          <th scope="row">
            <Cut text={TEXT.metric(metric)} />
          </th>
          <td colSpan={COLUMNS - 1} className="targets-metric">
            {TEXT.metricOf(formatMetric(before, unit), formatMetric(after, unit))}
          </td>
        </tr>
      ))}
      {reason === undefined ? null : (
        <tr className="targets-reason">
          <td colSpan={COLUMNS}>
            <span className="targets-why" title={reason}>
              {reason}
            </span>
          </td>
        </tr>
      )}
    </tbody>
  );
}

function Check({ check }: { readonly check: LiveCheck }) {
  const { runtime, file, status, samples, of, maxAbs, cosine, top1Agreement } = check;
  return (
    <tr className={file === undefined ? '' : 'targets-of-file'}>
      <th scope="row">
        <Cut text={runtime} />
      </th>
      <td className="numeric">{status === 'waiting' || status === 'not-run' ? '' : TEXT.samples(samples, of)}</td>
      <td className="numeric">{maxAbs === null ? '' : formatDifference(maxAbs)}</td>
      <td className="numeric">{cosine === null ? '' : formatCosine(cosine)}</td>
      <td className="numeric">{top1Agreement === null ? '' : formatShare(top1Agreement)}</td>
      <td>
        <Status status={status} word={TEXT.check[status]} />
      </td>
    </tr>
  );
}

const ICONS = { waiting: CircleDashed, failed: CircleX, refused: CircleX, 'not-run': CircleMinus, cancelled: Ban };
const DONE: ReadonlySet<string> = new Set(['done', 'passed']);

/** A shape and a word; what is going on has the turning mark of the stages. */
function Status({
  status,
  word,
}: {
  readonly status: LiveTarget['step'] | LiveCheck['status'];
  readonly word: string;
}) {
  const kind = statusKind(status);
  const Icon = DONE.has(status) ? CircleCheck : (Object.entries(ICONS).find(([key]) => key === status)?.[1] ?? Loader);
  return (
    <span className={`status status-${kind}`}>
      <Icon className={`icon status-icon status-${kind}`} aria-hidden />
      {word}
    </span>
  );
}

function statusKind(status: string): string {
  if (DONE.has(status)) return 'done';
  if (status === 'failed' || status === 'refused') return 'failed';
  if (status === 'waiting') return 'pending';
  if (status === 'not-run') return 'skipped';
  return status === 'cancelled' ? 'cancelled' : 'running';
}
