/** The client over the browser host's socket. It connects again by itself, and settles every call that was pending. */
import { HoneError } from '../../native-workers/protocol/errors.ts';
import {
  STUDIO_SOCKET_PATH,
  type StudioEvent,
  type StudioReply,
  studioSocketMessageSchema,
} from '../../native-workers/protocol/studio.ts';
import { chosenFiles, droppedFiles } from './dropped-files.ts';
import { type ConnectionState, checkResult, type PickKind, type StudioClient } from './studio-client.ts';
import { uploadFiles } from './upload.ts';

/** Waits between attempts to connect, in milliseconds; the last one repeats. */
const RETRY_AFTER = [250, 500, 1000, 2000, 5000];

interface Pending {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: HoneError) => void;
}

/** `address` is that of the page: the socket is on the same host and port. */
export function createLoopbackClient(address: Location): StudioClient {
  const url = `${address.protocol === 'https:' ? 'wss' : 'ws'}://${address.host}${STUDIO_SOCKET_PATH}`;
  const eventListeners = new Set<(event: StudioEvent) => void>();
  const connectionListeners = new Set<(state: ConnectionState) => void>();
  const pending = new Map<number, Pending>();
  let state: ConnectionState = 'connecting';
  let socket: WebSocket | null = null;
  let nextId = 1;
  let attempts = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function setState(next: ConnectionState): void {
    state = next;
    for (const listener of connectionListeners) listener(next);
  }

  function connect(): void {
    clearTimeout(timer);
    const opening = new WebSocket(url);
    socket = opening;
    opening.addEventListener('open', () => {
      attempts = 0;
      setState('open');
    });
    opening.addEventListener('message', (message) => receive(String(message.data)));
    opening.addEventListener('close', () => {
      if (socket !== opening) return;
      socket = null;
      for (const { reject } of pending.values()) reject(unreachable());
      pending.clear();
      setState('lost');
      timer = setTimeout(connect, RETRY_AFTER[Math.min(attempts, RETRY_AFTER.length - 1)]);
      attempts += 1;
    });
  }

  function receive(text: string): void {
    const message = studioSocketMessageSchema.safeParse(JSON.parse(text));
    if (!message.success) return;
    if ('ok' in message.data) settle(message.data);
    else for (const listener of eventListeners) listener(message.data);
  }

  function settle(reply: StudioReply): void {
    const call = pending.get(reply.id);
    pending.delete(reply.id);
    if (reply.ok) call?.resolve(reply.result);
    else call?.reject(HoneError.fromData(reply.error));
  }

  connect();

  return {
    host: 'browser',
    async call(method, params) {
      const open = socket;
      if (open === null || open.readyState !== WebSocket.OPEN) throw unreachable();
      const id = nextId++;
      const result = await new Promise<unknown>((resolve, reject) => {
        pending.set(id, { resolve, reject });
        open.send(JSON.stringify({ id, method, params }));
      });
      return checkResult(method, result);
    },
    onEvent(listener) {
      eventListeners.add(listener);
      return () => eventListeners.delete(listener);
    },
    onConnection(listener) {
      connectionListeners.add(listener);
      listener(state);
      return () => connectionListeners.delete(listener);
    },
    reconnect() {
      if (socket === null) {
        setState('connecting');
        connect();
      }
    },
    async grantDrop(transfer, progress) {
      return uploadFiles(await droppedFiles(transfer), progress);
    },
    async pick(kind, progress) {
      const files = await chooseFiles(kind);
      return files === null || files.length === 0 ? [] : uploadFiles(chosenFiles(files), progress);
    },
  };
}

const unreachable = (): HoneError => new HoneError('engine-unreachable', 'The connection to the engine is lost.');

/** What the browser's dialog offers first. `model` takes several files: a model and its weights file. */
const ACCEPT: Record<PickKind, string> = {
  model: '',
  data: '',
  folder: '',
  report: '.html,.json',
  recipe: '.json',
};

function chooseFiles(kind: PickKind): Promise<FileList | null> {
  return new Promise((resolve) => {
    const input = document.createElement('input');
    input.type = 'file';
    input.accept = ACCEPT[kind];
    input.multiple = kind === 'model';
    input.webkitdirectory = kind === 'folder';
    input.hidden = true;
    input.addEventListener('change', () => {
      input.remove();
      resolve(input.files);
    });
    input.addEventListener('cancel', () => {
      input.remove();
      resolve(null);
    });
    document.body.append(input);
    input.click();
  });
}
