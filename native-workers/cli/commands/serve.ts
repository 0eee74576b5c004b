/** `hone serve`: the studio in a browser, on loopback, until it is interrupted. */
import { type Command, InvalidArgumentError } from 'commander';
import { startBrowserHost } from '../../host/browser-host.ts';
import { builtFolder } from '../../host/built.ts';
import { openInBrowser } from '../../host/desktop.ts';
import { cleanInbox, inboxFolder } from '../../host/inbox.ts';
import { ensureWritable } from '../../host/run-store.ts';
import { Studio } from '../../host/studio.ts';
import { type Cli, type Context, positiveInteger } from '../cli.ts';
import { withWorkspace } from '../follow-run.ts';

interface Flags {
  readonly port?: number;
  readonly open?: boolean;
}

export function serveCommand(cli: Cli): Command {
  return cli
    .command('serve', 'Open the studio in a browser, on this machine only.')
    .option('--port <n>', 'port to listen on; a free one unless given', port)
    .option('--open', 'open it in the browser')
    .action((flags: Flags) => cli.run((context) => serve(flags, context)));
}

export async function serve(flags: Flags, context: Context): Promise<null> {
  return withWorkspace(async (workspace) => {
    await ensureWritable(workspace.folder);
    // The page has its own file chooser, and saves what it is given.
    const ports = { host: 'browser', pick: async () => [], save: async () => null } as const;
    const studio = new Studio(workspace, ports, builtFolder('report-view'));
    const host = await startBrowserHost({
      studio,
      assets: builtFolder('renderer'),
      inbox: inboxFolder(workspace),
      ...(flags.port === undefined ? {} : { port: flags.port }),
    });
    // Room that is not won back now is won back next time.
    const cleaning = cleanInbox(workspace).catch(() => undefined);
    const { address, port: listening } = host;
    const text = `The studio is at ${address}\nInterrupt (Ctrl-C) to close it; runs under way can be resumed.`;
    context.print({ json: { address, port: listening, library: workspace.folder }, text });
    if (flags.open === true && !(await openInBrowser(address)))
      context.say('No browser could be opened; open the address yourself.');
    await interrupted(context.signal);
    await cleaning;
    await host.close();
    return null;
  });
}

function interrupted(signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    if (signal.aborted) done();
    else signal.addEventListener('abort', () => done(), { once: true });
  });
}

/** For commander. */
export function port(text: string): number {
  const value = positiveInteger(text);
  if (value > 65_535) throw new InvalidArgumentError('It must be a port, 1 to 65535.');
  return value;
}
