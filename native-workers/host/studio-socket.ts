/**
 * The studio's calls and events over WebSockets, one a page. Every message is checked by its schema. A slow page costs
 * memory here, so progress is latest-wins and sent only while the page keeps up; what must not be dropped is queued up to
 * a limit, past which the page is cut off and connects again.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import { HoneError, toHoneError } from '../protocol/errors.ts';
import { type StudioEvent, type StudioReply, studioCallSchema } from '../protocol/studio.ts';
import { PacedEvents } from './paced-events.ts';
import type { StudioService } from './studio.ts';

/** Calls are small: paths, recipes, a search. */
const LARGEST_CALL = 1 << 20;
const MOST_CALLS_AT_ONCE = 32;
const PING_MS = 30_000;
/** Bytes waiting for one page: above the first, progress waits; above the second, the page is cut off. */
const KEEPS_UP = 1 << 20;
const CUT_OFF = 256 << 20;

/** Close codes of RFC 6455, section 7.4.1. */
const GOING_AWAY = 1001;
const POLICY_VIOLATION = 1008;
const TRY_AGAIN = 1013;

export class StudioSockets {
  readonly #studio: StudioService;
  readonly #server = new WebSocketServer({ noServer: true, maxPayload: LARGEST_CALL, perMessageDeflate: false });
  readonly #open = new Set<Connection>();
  readonly #ping: NodeJS.Timeout;

  constructor(studio: StudioService) {
    this.#studio = studio;
    this.#ping = setInterval(() => {
      for (const connection of this.#open) connection.ping();
    }, PING_MS).unref();
  }

  /** Takes over a connection that was already found to be allowed. */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      const connection = new Connection(webSocket, this.#studio);
      this.#open.add(connection);
      webSocket.on('close', () => {
        this.#open.delete(connection);
        connection.end();
      });
    });
  }

  close(): void {
    clearInterval(this.#ping);
    for (const connection of this.#open) connection.goAway();
    this.#server.close();
  }
}

class Connection {
  readonly #socket: WebSocket;
  readonly #studio: StudioService;
  readonly #unsubscribe: () => void;
  readonly #events: PacedEvents;
  #calls = 0;
  #alive = true;

  constructor(socket: WebSocket, studio: StudioService) {
    this.#socket = socket;
    this.#studio = studio;
    this.#events = new PacedEvents(
      (event) => this.#send(event),
      () => socket.bufferedAmount <= KEEPS_UP,
    );
    this.#unsubscribe = studio.subscribe((event) => this.#events.push(event));
    socket.on('message', (data, binary) => this.#message(data, binary));
    socket.on('pong', () => {
      this.#alive = true;
    });
    // Such as a message over the limit: `ws` closes the connection itself, with the code that says so.
    socket.on('error', () => undefined);
  }

  ping(): void {
    if (!this.#alive) this.#socket.terminate();
    this.#alive = false;
    this.#socket.ping();
  }

  goAway(): void {
    this.#socket.close(GOING_AWAY, 'The studio is closing.');
  }

  end(): void {
    this.#unsubscribe();
    this.#events.end();
  }

  #message(data: RawData, binary: boolean): void {
    const call = studioCallSchema.safeParse(binary ? null : parse(String(data)));
    if (!call.success) {
      this.#socket.close(POLICY_VIOLATION, 'Not a call of the studio protocol.');
      return;
    }
    const { id, method, params } = call.data;
    this.#calls++;
    if (this.#calls >= MOST_CALLS_AT_ONCE) this.#socket.pause();
    this.#studio
      .call(method, params)
      .then(
        (result): StudioReply => ({ id, ok: true, result }),
        (thrown: unknown): StudioReply => ({ id, ok: false, error: toHoneError(thrown).toData() }),
      )
      .then((reply) => {
        this.#calls--;
        this.#socket.resume();
        this.#send(reply);
      })
      .catch((thrown: unknown) => {
        // A result that is no JSON.
        const error = new HoneError('internal', toHoneError(thrown).message).toData();
        this.#send({ id, ok: false, error });
      });
  }

  #send(message: StudioReply | StudioEvent): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (this.#socket.bufferedAmount > CUT_OFF) {
      this.#socket.close(TRY_AGAIN, 'The page does not keep up.');
      this.#socket.terminate();
      return;
    }
    this.#socket.send(JSON.stringify(message));
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
