/** The log as it comes in; it follows the end until the user scrolls up. */
import { useVirtualizer } from '@tanstack/react-virtual';
import { ArrowDownToLine, Copy } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import type { LogLine } from '../../stores/runs.ts';
import { formatClock } from '../../text/format.ts';
import { RUN } from '../../text/run.ts';
import { SHELL } from '../../text/shell.ts';
import { IconButton } from '../../widgets/button.tsx';
import { copyText } from '../../widgets/copy.ts';

/** Pixels; the least height of a line in the style sheet. */
const LINE_HEIGHT = 20;

export function RunLog({ log, running }: { readonly log: readonly LogLine[]; readonly running: boolean }) {
  const scroller = useRef<HTMLDivElement>(null);
  const [follow, setFollow] = useState(true);
  const virtual = useVirtualizer({
    count: log.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => LINE_HEIGHT,
    overscan: 20,
  });
  const warnings = log.filter((line) => line.level !== 'info').length;

  useEffect(() => {
    if (follow && log.length > 0) virtual.scrollToIndex(log.length - 1, { align: 'end' });
  }, [follow, log.length, virtual]);

  return (
    <section className="pane pane-fill log-pane" aria-labelledby="log">
      <div className="pane-head">
        <h2 className="pane-title" id="log">
          {RUN.log} <span className="pane-detail">{warnings === 0 ? '' : RUN.warnings(warnings)}</span>
        </h2>
        <span className="grow" />
        <IconButton
          icon={ArrowDownToLine}
          label={RUN.followTail}
          aria-pressed={follow}
          className="toggle"
          onClick={() => setFollow(!follow)}
        />
        <IconButton
          icon={Copy}
          label={SHELL.copy}
          disabled={log.length === 0}
          onClick={() => copyText(log.map((line) => `${formatClock(line.time)} ${line.message}`).join('\n'))}
        />
      </div>
      {log.length === 0 ? (
        <p className="pane-text muted">{running ? RUN.logEmpty : RUN.logNone}</p>
      ) : (
        <div
          className="log"
          ref={scroller}
          // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard.
          tabIndex={0}
          role="log"
          aria-live="off"
          aria-labelledby="log"
          onWheel={(event) => {
            if (event.deltaY < 0) setFollow(false);
          }}
          onKeyDown={(event) => {
            if (event.key === 'ArrowUp' || event.key === 'PageUp' || event.key === 'Home') setFollow(false);
            if (event.key === 'End') setFollow(true);
          }}
        >
          <div className="log-space" style={{ height: virtual.getTotalSize() }}>
            {virtual.getVirtualItems().map(({ index, start, key }) => {
              const line = log[index];
              return line === undefined ? null : (
                <div
                  key={key}
                  ref={virtual.measureElement}
                  data-index={index}
                  className={`log-line log-${line.level}`}
                  style={{ transform: `translateY(${start}px)` }}
                >
                  <time className="log-time">{formatClock(line.time)}</time>
                  <span className="log-text">{line.message}</span>
                </div>
              );
            })}
          </div>
        </div>
      )}
    </section>
  );
}
