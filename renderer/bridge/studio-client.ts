/**
 * What the page knows of its host: one typed client, over Electron's preload or over the loopback socket. Everything that
 * comes in is checked against the protocol; every refusal is a `HoneError`.
 */
import { HoneError } from '../../native-workers/protocol/errors.ts';
import {
  type Grant,
  STUDIO_METHODS,
  type StudioEvent,
  type StudioMethod,
  type StudioParams,
  type StudioResult,
} from '../../native-workers/protocol/studio.ts';

export type ConnectionState = 'connecting' | 'open' | 'lost';

/** Bytes of the files that the user dropped, while they travel to the browser host. */
export type UploadProgress = (done: number, total: number) => void;

export type PickKind = StudioParams<'files.pick'>['kind'];

export interface StudioClient {
  readonly host: 'electron' | 'browser';
  /** Rejects with a `HoneError`; `engine-unreachable` when the connection is lost before the answer. */
  call<Name extends StudioMethod>(method: Name, params: StudioParams<Name>): Promise<StudioResult<Name>>;
  onEvent(listener: (event: StudioEvent) => void): () => void;
  /** Called at once with the present state, and at every change. */
  onConnection(listener: (state: ConnectionState) => void): () => void;
  /** Tries now to connect again; it is also tried by itself. */
  reconnect(): void;
  /** Grants for what was dropped on the window: files and folders. */
  grantDrop(transfer: DataTransfer, progress: UploadProgress): Promise<Grant[]>;
  /** Lets the user choose; an empty list when the dialog was left. */
  pick(kind: PickKind, progress: UploadProgress): Promise<Grant[]>;
}

/** An answer as it crosses Electron's `invoke`: errors are data, since only a message would survive. */
export type BridgeReply =
  | { readonly ok: true; readonly result: unknown }
  | { readonly ok: false; readonly error: unknown };

/** The frozen object `window.hone` of Electron's preload: three functions, no channel names, no paths. */
export interface HoneBridge {
  /** `method` is one of `STUDIO_METHODS`; main checks it and the parameters. Never rejects. */
  call(method: StudioMethod, params: unknown): Promise<BridgeReply>;
  /** Returns what unsubscribes. The listener gets a `StudioEvent` and nothing of Electron's. */
  onEvent(listener: (event: unknown) => void): () => void;
  /** Paths are read in the preload (`webUtils.getPathForFile`) and sent to main; the result is `Grant[]`. Never rejects. */
  grantFiles(files: readonly File[]): Promise<BridgeReply>;
}

declare global {
  interface Window {
    readonly hone?: HoneBridge;
  }
}

/** Checks the result of a call. Throws `protocol-violation`, which names the field. */
export function checkResult<Name extends StudioMethod>(method: Name, result: unknown): StudioResult<Name> {
  const parsed = STUDIO_METHODS[method].result.safeParse(result);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const field = issue?.path.join('.') ?? '';
    throw new HoneError(
      'protocol-violation',
      `The answer to ${method} is not as agreed (${field}: ${issue?.message}).`,
    );
  }
  // The schema that was looked up by `method` is the one of its result: TypeScript cannot follow that.
  return parsed.data as StudioResult<Name>;
}
