/** Layer by layer: the graph, how much each layer harms beside it, and below all that is known of the one that is chosen. */
import { type KeyboardEvent, useCallback, useEffect, useId, useRef, useState } from 'react';
import { formatClipped } from '../../native-workers/report/clipped.ts';
import {
  formatCount,
  formatDifference,
  formatElement,
  formatMs,
  formatShare,
  formatSmallShare,
  plural,
} from '../../native-workers/report/format.ts';
import { visible } from '../../native-workers/report/text.ts';
import { Chart } from '../charts/chart.tsx';
import type { ChartTheme } from '../charts/theme.ts';
import { valueHistogram } from '../charts/value-histogram.ts';
import { LayerGraph } from './layer-graph.tsx';
import { byHarm, type LayerRow, type LayerRows, shortName } from './layer-rows.ts';
import { type Fact, Facts, Name, Pill } from './parts.tsx';

const MEASURES = {
  outputs: {
    title: 'How much each layer changes the outputs',
    text: 'Bars: change of the outputs with that layer alone quantized: divergence of the scores in nats, or error over power.',
    fact: 'Change of the outputs, alone',
    format: formatDifference,
  },
  noise: {
    title: 'Expected error of each layer',
    text: 'Bars: error of its sums over their size, from the rounding of input and weights. How much the answers suffer is measured by a search.',
    fact: 'Expected error of its sums',
    format: formatShare,
  },
  weights: {
    title: 'Error of the weights by layer',
    text: 'Bars: error of the weights over their norm. It is no measure of the harm done to the answers.',
    fact: 'Error of the weights',
    format: formatShare,
  },
} as const;

export function LayerView({ measure, rows }: LayerRows) {
  const [sort, setSort] = useState<'graph' | 'harm'>('graph');
  const [chosen, setChosen] = useState(() => byHarm(rows)[0] ?? 0);
  const heading = useId();
  const list = useRef<HTMLOListElement>(null);
  const order = sort === 'graph' ? rows.map((_, place) => place) : byHarm(rows);
  const most = rows.reduce((largest, { harm }) => Math.max(largest, harm ?? 0), 0);
  const { title, text, format } = MEASURES[measure];
  const selected = rows[chosen];
  const isLinked = rows.some(({ after }) => after.length > 0);
  useRowInSight(list, chosen);

  const move = (event: KeyboardEvent): void => {
    const at = order.indexOf(chosen);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: order.length - 1 }[event.key];
    const next = to === undefined ? undefined : order[to];
    if (to === undefined) return;
    event.preventDefault();
    if (next === undefined) return;
    setChosen(next);
    list.current?.querySelector<HTMLElement>(`[data-place="${next}"]`)?.focus({ preventScroll: true });
  };

  return (
    <section className="report-layers" aria-labelledby={heading}>
      <div className="report-layers-head">
        <h3 id={heading}>{title}</h3>
        <p className="report-meta">
          {text} {rows.some(({ isFloat }) => isFloat) ? 'Dashed boxes and hollow bars are layers that stay float.' : ''}
        </p>
        <button
          type="button"
          className="report-toggle"
          aria-pressed={sort === 'harm'}
          onClick={() => setSort(sort === 'harm' ? 'graph' : 'harm')}
        >
          Most harmful first
        </button>
      </div>
      <div className={isLinked ? 'report-layers-body report-layers-linked' : 'report-layers-body'}>
        {isLinked ? <LayerGraph rows={rows} most={most} chosen={chosen} onChoose={setChosen} /> : null}
        <div className="report-layer-list">
          <ol ref={list} aria-labelledby={heading}>
            {order.map((place) => {
              const row = rows[place];
              return row === undefined ? null : (
                <li key={place}>
                  <button
                    type="button"
                    className="report-layer"
                    data-place={place}
                    aria-pressed={place === chosen}
                    tabIndex={place === chosen ? 0 : -1}
                    onClick={() => setChosen(place)}
                    onKeyDown={move}
                  >
                    <span className="report-layer-name" title={visible(row.node)}>
                      <bdi>{visible(shortName(row))}</bdi>
                    </span>
                    <span className="report-layer-operator">{visible(row.operator)}</span>
                    {row.harm === null ? (
                      <span />
                    ) : (
                      <Bar share={most === 0 ? 0 : row.harm / most} hollow={row.isFloat} />
                    )}
                    <span className="report-layer-value">{row.harm === null ? 'not measured' : format(row.harm)}</span>
                    <span className="report-layer-kept">{row.isFloat ? 'float' : ''}</span>
                  </button>
                </li>
              );
            })}
          </ol>
        </div>
      </div>
      {selected === undefined ? null : <LayerFacts key={chosen} measure={measure} row={selected} rows={rows} />}
    </section>
  );
}

/** Scrolls the list alone: the page stays where it is. */
function useRowInSight(list: React.RefObject<HTMLOListElement | null>, chosen: number): void {
  useEffect(() => {
    const box = list.current?.parentElement;
    const row = list.current?.querySelector<HTMLElement>(`[data-place="${chosen}"]`)?.parentElement;
    if (box == null || row == null) return;
    const [top, bottom] = [row.offsetTop, row.offsetTop + row.offsetHeight];
    if (top < box.scrollTop || bottom > box.scrollTop + box.clientHeight) box.scrollTop = top - box.clientHeight / 2;
  }, [list, chosen]);
}

/** Words and numbers stand beside it, so it says nothing to those who cannot see it. */
function Bar({ share, hollow }: { readonly share: number; readonly hollow: boolean }) {
  return (
    <svg className="report-layer-bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
      <rect
        className={hollow ? 'report-bar-hollow' : 'report-bar'}
        width={Math.max(0.5, Math.max(0, share) * 100)}
        height="10"
      />
    </svg>
  );
}

interface LayerFactsProps {
  readonly measure: LayerRows['measure'];
  readonly row: LayerRow;
  readonly rows: LayerRows['rows'];
}

function LayerFacts({ measure, row, rows }: LayerFactsProps) {
  const { node, operator, isFloat, facts, after, reason } = row;
  const names = after.flatMap((place) => rows[place]?.node ?? []);
  return (
    <section className="report-layer-facts" aria-label={`Layer ${visible(node)}`} aria-live="polite">
      <h4>
        <Name text={node} />
      </h4>
      <p>
        <Pill tone={isFloat ? 'warning' : 'better'}>{isFloat ? 'float' : 'quantized'}</Pill> {visible(operator)}
        {names.length === 0 ? null : (
          <>
            , after <Name text={names.join(', ')} />
          </>
        )}
      </p>
      {reason === null || !isFloat ? null : (
        <p className="report-meta">
          It stays float: <Name text={reason} />
        </p>
      )}
      <div className="report-layer-facts-body">
        <Facts facts={factsOf(measure, row)} />
        {facts?.histogram == null || facts.input === null ? null : (
          <InputHistogram
            counts={facts.histogram}
            input={facts.input}
            kept={facts.kept}
            clipped={formatClipped(facts)}
          />
        )}
      </div>
    </section>
  );
}

function factsOf(measure: LayerRows['measure'], { harm, gainMs, facts, saturation }: LayerRow): Fact[] {
  const { fact, format } = MEASURES[measure];
  const input = facts?.input ?? null;
  const clipped = facts === null ? null : formatClipped(facts);
  const all: (Fact | null)[] = [
    harm === null || measure !== 'outputs' ? null : { label: fact, value: format(harm) },
    gainMs === null ? null : { label: 'Time that INT8 saves', value: formatMs(gainMs) },
    facts === null || facts.value === null ? null : { label: 'Input', value: <Name text={facts.value} /> },
    input === null ? null : { label: 'Its range', value: `${formatElement(input.min)} to ${formatElement(input.max)}` },
    facts === null || facts.kept === null
      ? null
      : { label: 'Range of the codes', value: `${formatElement(facts.kept.min)} to ${formatElement(facts.kept.max)}` },
    input === null
      ? null
      : { label: 'Step and zero point', value: `${formatElement(input.scale)}, ${input.zeroPoint}` },
    facts?.method == null ? null : { label: 'Range chosen by', value: visible(facts.method) },
    clipped === null ? null : { label: 'Clipped', value: clipped },
    facts?.weightError == null ? null : { label: 'Error of the weights', value: formatShare(facts.weightError) },
    facts?.sqnrDb == null ? null : { label: 'Expected SQNR', value: `${facts.sqnrDb.toFixed(1)} dB` },
    saturation === null
      ? null
      : {
          label: 'Without VNNI',
          value: `${formatShare(saturation.error)} error of its sums, ${formatSmallShare(saturation.share)} of the pairs cut off`,
        },
  ];
  return all.filter((each) => each !== null);
}

interface InputHistogramProps {
  readonly counts: readonly number[];
  readonly input: { readonly min: number; readonly max: number };
  readonly kept: { readonly min: number; readonly max: number } | null;
  /** In words. */
  readonly clipped: string | null;
}

function InputHistogram({ counts, input, kept, clipped }: InputHistogramProps) {
  const { min, max } = input;
  const option = useCallback(
    (theme: ChartTheme) => valueHistogram({ counts, min, max, kept }, theme),
    [counts, min, max, kept],
  );
  const counted = formatCount(counts.reduce((sum, count) => sum + count, 0));
  const words = clipped === null ? '' : ` Clipped: ${clipped}.`;
  return (
    <figure>
      <figcaption>
        {counted} numbers of its input, spread evenly over the calibration data
        {kept === null ? '' : '; outside of the dashed lines they are clipped'}
      </figcaption>
      <Chart
        description={`Histogram in ${plural(counts.length, 'bin')} from ${formatElement(min)} to ${formatElement(max)}.${words}`}
        height={190}
        option={option}
      />
    </figure>
  );
}
