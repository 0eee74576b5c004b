/** `hone verify REPORT|RUN`: computes every number again from the raw samples, and checks every hash. */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { verify } from '../../report/verify.ts';
import type { Cli } from '../cli.ts';
import { withWorkspace } from '../follow-run.ts';
import { plain, table } from '../text.ts';

export function verifyCommand(cli: Cli): Command {
  return cli
    .command('verify', 'Compute every number of a report again, and check every hash.')
    .argument('<report-or-run>', 'report.json, report.html, a run folder, or the id of a run')
    .action((named: string) =>
      cli.run(async () => {
        const { status, checks } = await verify(await pathOf(named));
        const rows = checks.map((check) => [check.status, plain(check.name), plain(check.detail)]);
        return {
          json: { status, checks },
          text: `${table([{ title: '' }, { title: '' }, { title: '' }], rows)}\n\n${status}`,
          exitCode: status === 'verified' ? 0 : 1,
        };
      }),
    );
}

/** A file or folder of that name goes before a run. */
async function pathOf(named: string): Promise<string> {
  const there = await stat(named).catch(() => null);
  if (there !== null || /\.(json|html)$/.test(named)) return resolve(named);
  return withWorkspace(async (workspace) => (await workspace.openRun(named)).folder);
}
