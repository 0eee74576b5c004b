/** The client over Electron's preload. The host lives as long as the window, so the connection is always open. */
import { z } from 'zod';
import { errorDataSchema, HoneError } from '../../native-workers/protocol/errors.ts';
import { grantSchema, studioEventSchema } from '../../native-workers/protocol/studio.ts';
import { type BridgeReply, checkResult, type HoneBridge, type StudioClient } from './studio-client.ts';

export function createElectronClient(bridge: HoneBridge): StudioClient {
  const client: StudioClient = {
    host: 'electron',
    async call(method, params) {
      return checkResult(method, unwrap(await bridge.call(method, params)));
    },
    onEvent(listener) {
      return bridge.onEvent((event) => {
        const parsed = studioEventSchema.safeParse(event);
        if (parsed.success) listener(parsed.data);
      });
    },
    onConnection(listener) {
      listener('open');
      return () => undefined;
    },
    reconnect: () => undefined,
    async grantDrop(transfer) {
      return z.array(grantSchema).parse(unwrap(await bridge.grantFiles(Array.from(transfer.files))));
    },
    pick: (kind) => client.call('files.pick', { kind }),
  };
  return client;
}

function unwrap(reply: BridgeReply): unknown {
  if (reply.ok) return reply.result;
  const error = errorDataSchema.safeParse(reply.error);
  throw error.success
    ? HoneError.fromData(error.data)
    : new HoneError('protocol-violation', 'The answer of the host is neither a result nor an error.');
}
