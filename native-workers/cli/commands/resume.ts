/** `hone resume RUN`: goes on with an unfinished run from its first stage that is not done. */
import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { followRun, withWorkspace } from '../follow-run.ts';

export function resumeCommand(cli: Cli): Command {
  return cli
    .command('resume', 'Go on with an unfinished run.')
    .argument('<run>', 'id of a run, the beginning of one, "latest", or a run folder')
    .action((run: string) =>
      cli.run((context) => withWorkspace(async (workspace) => followRun(await workspace.resumeRun(run), context))),
    );
}
