/** `hone runs`: the library of runs, newest first. */
import type { Command } from 'commander';
import type { RunSummary } from '../../protocol/studio.ts';
import { formatBytes, formatMs } from '../../report/format.ts';
import type { Cli } from '../cli.ts';
import { withWorkspace } from '../follow-run.ts';
import { plain, table } from '../text.ts';

export function runsCommand(cli: Cli): Command {
  return cli
    .command('runs', 'List the runs, newest first.')
    .argument('[search...]', 'words that title, model, recipe, status or id must hold')
    .action((search: string[]) =>
      cli.run(() =>
        withWorkspace(async (workspace) => {
          const runs = await workspace.listRuns(search.join(' '));
          return { json: { library: workspace.folder, runs }, text: runsText(workspace.folder, runs) };
        }),
      ),
    );
}

function runsText(library: string, runs: readonly RunSummary[]): string {
  if (runs.length === 0) return `There are no such runs in ${library}.`;
  const change = (before: number | null, after: number | null, format: (value: number) => string): string =>
    before === null || after === null ? '' : `${format(before)} to ${format(after)}`;
  const rows = runs.map((run) => [
    plain(run.id),
    run.status,
    plain(run.recipe),
    change(run.sizeBefore, run.sizeAfter, formatBytes),
    change(run.msBefore, run.msAfter, formatMs),
    run.verdict ?? '',
  ]);
  const titles = ['run', 'status', 'recipe', 'size', 'p50', 'verdict'];
  return table(
    titles.map((title) => ({ title })),
    rows,
  );
}
