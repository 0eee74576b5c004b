/** `hone show RUN`: one run with its result, and all that its folder says of it. */
import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { readReport, runResult, withWorkspace } from '../follow-run.ts';

export function showCommand(cli: Cli): Command {
  return cli
    .command('show', 'Show one run and its result.')
    .argument('<run>', 'id of a run, the beginning of one, "latest", or a run folder')
    .action((run: string) =>
      cli.run(() =>
        withWorkspace(async (workspace) => {
          const { folder, manifest } = await workspace.openRun(run);
          const { text } = await runResult(folder, manifest);
          return { json: { folder, manifest, report: await readReport(folder) }, text };
        }),
      ),
    );
}
