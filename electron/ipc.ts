/**
 * Calls and events between the page and the studio. Only the studio's own top frame is heard; every message is checked by its
 * schema; errors go back as data, since of a rejection only the message would survive.
 */
import type { IpcMain, IpcMainInvokeEvent, WebContents } from 'electron';
import { z } from 'zod';
import { PacedEvents } from '../native-workers/host/paced-events.ts';
import type { StudioService } from '../native-workers/host/studio.ts';
import { HoneError, toHoneError } from '../native-workers/protocol/errors.ts';
import { type Grant, type StudioReply, studioCallSchema } from '../native-workers/protocol/studio.ts';
import { STUDIO_ORIGIN } from './app-protocol.ts';
import { CALL, EVENT, GRANT } from './channels.ts';

/** More than anybody drops; a bound all the same. */
const MOST_FILES = 1000;
const grantCallSchema = z.strictObject({ id: z.number(), paths: z.array(z.string()).max(MOST_FILES) });

/** `onHello`: the page has started, listens to events, and says so with its first call. */
export function answerCalls(ipc: IpcMain, studio: StudioService, onHello: () => void): void {
  ipc.handle(CALL, (event, message: unknown) =>
    reply(event, message, studioCallSchema, async ({ method, params }) => {
      const result = await studio.call(method, params);
      if (method === 'hello') onHello();
      return result;
    }),
  );
  ipc.handle(GRANT, (event, message: unknown) =>
    reply(event, message, grantCallSchema, ({ paths }) => grantDropped(studio, paths)),
  );
}

/** Sends the studio's events to a page until it is gone. */
export function sendEvents(studio: StudioService, contents: WebContents): void {
  const events = new PacedEvents((event) => {
    if (!contents.isDestroyed()) contents.send(EVENT, event);
  });
  const unsubscribe = studio.subscribe((event) => events.push(event));
  contents.once('destroyed', () => {
    unsubscribe();
    events.end();
  });
}

async function reply<Call extends { id: number }>(
  event: IpcMainInvokeEvent,
  message: unknown,
  schema: z.ZodType<Call>,
  act: (call: Call) => Promise<unknown>,
): Promise<StudioReply> {
  const call = schema.safeParse(message);
  const id = call.success ? call.data.id : -1;
  try {
    if (!isStudioFrame(event)) throw new HoneError('protocol-violation', 'Only the page of the studio is answered.');
    if (!call.success) {
      throw new HoneError('protocol-violation', `Not a call of the studio protocol: ${z.prettifyError(call.error)}`);
    }
    return { id, ok: true, result: await act(call.data) };
  } catch (thrown) {
    return { id, ok: false, error: toHoneError(thrown).toData() };
  }
}

/** The frame is null when it navigated away or was destroyed before its message came. */
function isStudioFrame({ senderFrame: frame }: IpcMainInvokeEvent): boolean {
  return frame !== null && frame.parent === null && frame.origin === STUDIO_ORIGIN;
}

/** The preload gives an empty path for a file that a page made up. */
async function grantDropped(studio: StudioService, paths: readonly string[]): Promise<Grant[]> {
  if (paths.includes('')) throw new HoneError('file-not-granted', 'What was dropped is not a file of this machine.');
  return Promise.all(paths.map((path) => studio.grants.grant(path)));
}
