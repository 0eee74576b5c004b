import { Duplex } from 'node:stream';
import { serialize } from 'node:v8';
import { describe, expect, it } from 'vitest';
import { Channel, MAX_MESSAGE } from '../../../native-workers/lib/channel.ts';

/** A channel whose other end is this test: what comes in is pushed, what goes out is kept. */
function open() {
  const seen: unknown[] = [];
  const sent: Buffer[] = [];
  const stream = new Duplex({
    read: () => undefined,
    write: (piece: Buffer, _encoding, done) => {
      sent.push(piece);
      done();
    },
  });
  const channel = new Channel(stream, {
    message: (value) => seen.push(value),
    garbage: (reason) => seen.push(`garbage: ${reason}`),
    closed: () => seen.push('closed'),
  });
  const receive = async (...pieces: Uint8Array[]): Promise<void> => {
    for (const piece of pieces) stream.push(piece);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { channel, seen, sent, receive };
}

function frame(value: unknown): Buffer {
  const body = serialize(value);
  const header = Buffer.alloc(4);
  header.writeUInt32BE(body.length);
  return Buffer.concat([header, body]);
}

describe('channel', () => {
  it('sends what another receives', async () => {
    const value = {
      type: 'result',
      numbers: new Float64Array([1, 2.5]),
      nested: [undefined, null, 'ü'],
      big: 2n ** 80n,
    };
    const [from, to] = [open(), open()];
    from.channel.send(value);
    await to.receive(...from.sent);
    expect(to.seen).toEqual([value]);
  });

  it('puts messages together however they are cut', async () => {
    const messages = ['a', { b: 2 }, 'c'.repeat(1000)];
    const bytes = Buffer.concat(messages.map(frame));
    for (const size of [1, 3, 7, 500, bytes.length]) {
      const { seen, receive } = open();
      const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
        bytes.subarray(index * size, (index + 1) * size),
      );
      await receive(...pieces);
      expect(seen).toEqual(messages);
    }
  });

  it('tells of bytes that are no message, and reads no further', async () => {
    const { seen, receive } = open();
    const garbage = Buffer.from('00000004deadbeef', 'hex');
    await receive(Buffer.concat([frame('good'), garbage, frame('never')]));
    await receive(frame('never'));
    expect(seen).toEqual(['good', expect.stringMatching(/^garbage: /)]);
  });

  it('refuses a length that no message has, before it waits for it', async () => {
    const { seen, receive } = open();
    const header = Buffer.alloc(4);
    header.writeUInt32BE(MAX_MESSAGE + 1);
    await receive(header);
    expect(seen).toEqual([`garbage: a message of ${MAX_MESSAGE + 1} bytes`]);
  });

  it('sends nothing after its end', async () => {
    const { channel, sent } = open();
    channel.send('last');
    await channel.end();
    channel.send('too late');
    expect(sent).toHaveLength(1);
  });
});
