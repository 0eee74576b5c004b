/** One error as the user meets it: what happened, what it means, what to do, where it is. Its details can be copied. */
import { CircleX, Copy } from 'lucide-react';
import type { ReactNode } from 'react';
import { ERROR_TEXT } from '../../native-workers/protocol/error-text.ts';
import type { ErrorData } from '../../native-workers/protocol/errors.ts';
import { ERROR_CARD } from '../text/run.ts';
import { SHELL } from '../text/shell.ts';
import { Button } from './button.tsx';
import { copyText } from './copy.ts';
import { Words } from './words.tsx';

export interface ErrorCardProps {
  readonly error: ErrorData;
  /** What else can be done about it, left of the copy button. */
  readonly actions?: ReactNode;
}

export function ErrorCard({ error, actions }: ErrorCardProps) {
  const words = ERROR_TEXT[error.code];
  const where = Object.entries(error.where ?? {});
  return (
    <section className="error-card" role="alert">
      <h3 className="error-title">
        <CircleX className="icon" aria-hidden />
        {words.title}
      </h3>
      <p className="error-message">{error.message}</p>
      <dl className="error-facts">
        <dt>{ERROR_CARD.meaning}</dt>
        <dd>
          <Words text={words.meaning} />
        </dd>
        <dt>{ERROR_CARD.next}</dt>
        <dd>
          <Words text={words.next} />
        </dd>
        {where.length === 0 ? null : (
          <>
            <dt>{ERROR_CARD.where}</dt>
            <dd>
              {where.map(([kind, place]) => (
                <span key={kind} className="error-where">
                  {whereWord(kind)} <code>{place}</code>
                </span>
              ))}
            </dd>
          </>
        )}
        <dt>{ERROR_CARD.code}</dt>
        <dd>
          <code>{error.code}</code>
        </dd>
      </dl>
      <div className="error-actions">
        {actions}
        <Button icon={Copy} onClick={() => copyText(JSON.stringify(error, null, 2))}>
          {SHELL.details}
        </Button>
      </div>
    </section>
  );
}

function whereWord(kind: string): string {
  return kind === 'file' || kind === 'offset' || kind === 'graph' || kind === 'node' || kind === 'tensor'
    ? ERROR_CARD[kind]
    : kind;
}
