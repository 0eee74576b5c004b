/** `hone report RUN`: the report of a run in the forms asked for. */

import { join, resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { builtFolder } from '../../host/built.ts';
import { writeFileAtomic } from '../../lib/atomic-file.ts';
import { makeFolder } from '../../lib/make-folder.ts';
import { HoneError } from '../../protocol/errors.ts';
import { REPORT_FORMATS, type ReportFormat, renderReport } from '../../report/render.ts';
import { type Cli, names } from '../cli.ts';
import { readReport, withWorkspace } from '../follow-run.ts';

interface Flags {
  readonly format: ReportFormat[];
  readonly out: string;
}

export function reportCommand(cli: Cli): Command {
  return cli
    .command('report', 'Write the report of a run as HTML, Markdown, CSV or JSON.')
    .argument('<run>', 'id of a run, the beginning of one, "latest", or a run folder')
    .option('--format <names>', 'html, md, csv, json, with commas between', formats, ['html'])
    .option('--out <folder>', 'where to put the files', '.')
    .action((run: string, { format, out }: Flags) =>
      cli.run(() =>
        withWorkspace(async (workspace) => {
          const { folder, manifest } = await workspace.openRun(run);
          const document = await readReport(folder);
          if (document === null)
            throw new HoneError('report-missing', `The run ${manifest.id} has no report: it is ${manifest.status}.`);
          const target = resolve(out);
          makeFolder(target);
          const files: string[] = [];
          for (const form of new Set(format)) {
            const file = join(target, `report.${form}`);
            await writeFileAtomic(file, await renderReport(document, form, builtFolder('report-view')));
            files.push(file);
          }
          return { json: { files }, text: files.join('\n') };
        }),
      ),
    );
}

function formats(text: string): ReportFormat[] {
  return names(text).map((name) => {
    const format = REPORT_FORMATS.find((known) => known === name);
    if (format === undefined) throw new InvalidArgumentError(`It must be of ${REPORT_FORMATS.join(', ')}.`);
    return format;
  });
}
