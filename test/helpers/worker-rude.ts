/** A worker entry that breaks the protocol before any job: the environment variable HONE_TEST_RUDE says how. */
import { Socket } from 'node:net';
import { Channel } from '../../native-workers/lib/channel.ts';
import { CHANNEL_FD } from '../../native-workers/worker/serve.ts';

const channel = new Channel(new Socket({ fd: CHANNEL_FD, readable: true, writable: true }), {
  message: () => undefined,
  garbage: () => undefined,
  closed: () => process.exit(0),
});
const hello = { type: 'hello', protocol: 1, hone: '0.1.0', node: process.versions.node, pid: process.pid };

switch (process.env['HONE_TEST_RUDE']) {
  case 'never-hello':
    break;
  case 'old-version':
    channel.send({ type: 'hello', protocol: 0, of: 'another age' });
    break;
  case 'unknown-message':
    channel.send(hello);
    channel.send({ type: 'gossip' });
    break;
  case 'two-hellos':
    channel.send(hello);
    channel.send(hello);
    break;
  case 'no-hello':
    channel.send({ type: 'log', level: 'info', message: 'who am I' });
    break;
  case 'exit':
    process.stderr.write('cannot find a library\n');
    process.exit(1);
}
