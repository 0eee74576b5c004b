/**
 * Messages over a pipe between two processes: four bytes of length (big endian), then the value in V8's serialisation.
 *
 * Why not Node's own `process.send`: it reads messages inside a callback that nobody can guard, so bytes that do not
 * deserialise (a worker whose memory was overwritten by native code) raise an uncaught exception in the host and end it.
 * Here they are an event.
 */
import type { Duplex } from 'node:stream';
import { deserialize, serialize } from 'node:v8';

const HEADER = 4;
/** Larger than any message should be: bulk data goes through files. */
export const MAX_MESSAGE = 64 << 20;

export interface ChannelListener {
  message(value: unknown): void;
  /** The other side sent what is no message. Nothing is read after that. */
  garbage(reason: string): void;
  /** The other side is gone, or the pipe broke. */
  closed(): void;
}

export class Channel {
  readonly #stream: Duplex;
  readonly #listener: ChannelListener;
  #pieces: Buffer[] = [];
  #length = 0;
  #broken = false;

  constructor(stream: Duplex, listener: ChannelListener) {
    this.#stream = stream;
    this.#listener = listener;
    stream.on('data', (piece: Buffer) => this.#take(piece));
    // A broken pipe is followed by `close`, which is what matters.
    stream.on('error', () => undefined);
    stream.on('close', () => listener.closed());
  }

  /** Hands the message to the system at once where the pipe has room, so that it is out before a native call blocks. */
  send(value: unknown): void {
    if (this.#stream.destroyed || this.#stream.writableEnded) return;
    const body = serialize(value);
    const message = Buffer.allocUnsafe(HEADER + body.length);
    message.writeUInt32BE(body.length, 0);
    body.copy(message, HEADER);
    this.#stream.write(message);
  }

  /** Ends the channel after all that was sent; resolves when it is out or cannot be delivered any more. */
  end(): Promise<void> {
    return new Promise((resolve) => {
      this.#stream.once('close', resolve);
      this.#stream.end(resolve);
    });
  }

  destroy(): void {
    this.#broken = true;
    this.#stream.destroy();
  }

  #take(piece: Buffer): void {
    if (this.#broken) return;
    this.#pieces.push(piece);
    this.#length += piece.length;
    while (!this.#broken && this.#length >= HEADER) {
      const size = this.#front(HEADER).readUInt32BE(0);
      if (size > MAX_MESSAGE) {
        this.#garbage(`a message of ${size} bytes`);
        return;
      }
      if (this.#length < HEADER + size) return;
      const whole = this.#front(HEADER + size);
      this.#pieces = [whole.subarray(HEADER + size)];
      this.#length -= HEADER + size;
      let value: unknown;
      try {
        value = deserialize(whole.subarray(HEADER, HEADER + size));
      } catch (thrown) {
        this.#garbage(thrown instanceof Error ? thrown.message : String(thrown));
        return;
      }
      this.#listener.message(value);
    }
  }

  /** The received bytes as one buffer that holds at least `length` of them. */
  #front(length: number): Buffer {
    const [first] = this.#pieces;
    if (first !== undefined && first.length >= length) return first;
    const joined = Buffer.concat(this.#pieces);
    this.#pieces = [joined];
    return joined;
  }

  #garbage(reason: string): void {
    this.#broken = true;
    this.#listener.garbage(reason);
  }
}
