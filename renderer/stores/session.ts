/** The connection to the host and what it said of itself. The page starts here, and comes back here when the host is lost. */
import { create } from 'zustand';
import { type ErrorData, HoneError, toHoneError } from '../../native-workers/protocol/errors.ts';
import type { StudioResult } from '../../native-workers/protocol/studio.ts';
import type { StudioClient } from '../bridge/studio-client.ts';

export type Hello = StudioResult<'hello'>;

export interface Session {
  /** `lost`: it was ready, and the screens stay while the connection is tried again. */
  readonly status: 'starting' | 'ready' | 'failed' | 'lost';
  readonly hello: Hello | null;
  readonly error: ErrorData | null;
}

export const useSession = create<Session>(() => ({ status: 'starting', hello: null, error: null }));

/** How long a first connection may take before the page says that nobody answers, in milliseconds. */
const FIRST_ANSWER_WITHIN = 8000;

let client: StudioClient | null = null;

/** The client of the page. Throws `engine-unreachable` before `startSession`. */
export function studio(): StudioClient {
  if (client === null) throw new HoneError('engine-unreachable', 'The studio has not connected to its host yet.');
  return client;
}

/** Connects, and runs `onReady` each time the host answers: at the start and after every loss. */
export function startSession(connected: StudioClient, onReady: () => void): void {
  client = connected;
  const timeout = setTimeout(() => {
    if (useSession.getState().status === 'starting') fail(unanswered());
  }, FIRST_ANSWER_WITHIN);

  const greet = async (): Promise<void> => {
    try {
      const hello = await connected.call('hello', {});
      clearTimeout(timeout);
      useSession.setState({ status: 'ready', hello, error: null });
      onReady();
    } catch (error) {
      const { code } = toHoneError(error);
      // A connection that breaks while greeting is greeted again when it is back.
      if (code !== 'engine-unreachable') fail(toHoneError(error));
    }
  };

  connected.onConnection((state) => {
    const { hello, status } = useSession.getState();
    if (state === 'open') void greet();
    else if (state === 'lost' && hello !== null) useSession.setState({ status: 'lost' });
    else if (state === 'lost' && status === 'starting') fail(unanswered());
  });
}

/** Tries again: a new connection where there is none, else a new greeting. */
export function retrySession(onReady: () => void): void {
  const { hello } = useSession.getState();
  if (hello === null) useSession.setState({ status: 'starting', error: null });
  const connected = studio();
  connected.reconnect();
  connected
    .call('hello', {})
    .then((answer) => {
      useSession.setState({ status: 'ready', hello: answer, error: null });
      onReady();
    })
    .catch((error: unknown) => {
      if (useSession.getState().hello === null && toHoneError(error).code !== 'engine-unreachable') {
        fail(toHoneError(error));
      }
    });
}

function fail(error: HoneError): void {
  useSession.setState({ status: 'failed', error: error.toData() });
}

const unanswered = (): HoneError =>
  new HoneError('engine-unreachable', 'No engine answers at the address of this page.');
