/** Short messages of what just happened, told in the status bar and to screen readers; and one error that needs an answer. */
import { create } from 'zustand';
import { type ErrorData, toHoneError } from '../../native-workers/protocol/errors.ts';

export interface Notices {
  /** The counter makes the same words said twice be heard twice. */
  readonly latest: { readonly text: string; readonly count: number } | null;
  /** What the user asked for and could not be done; shown until it is dismissed. */
  readonly failure: ErrorData | null;
}

export const useNotices = create<Notices>(() => ({ latest: null, failure: null }));

/** How long a message stands, in milliseconds: later it would be read as of now. */
const STANDS = 10_000;

let count = 0;

export function notify(text: string): void {
  const mine = ++count;
  useNotices.setState({ latest: { text, count: mine } });
  setTimeout(() => useNotices.setState(({ latest }) => (latest?.count === mine ? { latest: null } : {})), STANDS);
}

export function reportFailure(thrown: unknown): void {
  useNotices.setState({ failure: toHoneError(thrown).toData() });
}

export function dismissFailure(): void {
  useNotices.setState({ failure: null });
}
