/** `hone passes` and `hone passes PASS`: what can be done to a model, from the schemas that also check it. */
import type { Command } from 'commander';
import { passInfo } from '../../passes/option-form.ts';
import { PRESETS } from '../../passes/presets.ts';
import { findPass, PASSES } from '../../passes/registry.ts';
import type { OptionForm, PassInfo } from '../../protocol/studio.ts';
import type { Cli } from '../cli.ts';
import { table } from '../text.ts';

export function passesCommand(cli: Cli): Command {
  return cli
    .command('passes', 'List the passes and presets, or show the options of one pass.')
    .argument('[pass]', 'id of a pass')
    .action((id: string | undefined) =>
      cli.run(async () => {
        if (id !== undefined) {
          const info = passInfo(findPass(id));
          return { json: info, text: passText(info) };
        }
        const passes = PASSES.map(passInfo);
        return { json: { passes, presets: PRESETS }, text: listText(passes) };
      }),
    );
}

function listText(passes: readonly PassInfo[]): string {
  const passRows = passes.map((pass) => [
    pass.id,
    pass.family,
    pass.lossy ? 'lossy' : '',
    pass.needs.join(', '),
    pass.summary,
  ]);
  const presetRows = PRESETS.map((preset) => [
    preset.name,
    preset.steps.map((step) => step.pass).join(', '),
    preset.summary ?? '',
  ]);
  return [
    table(
      [{ title: 'pass' }, { title: 'family' }, { title: '' }, { title: 'needs' }, { title: 'what it does' }],
      passRows,
    ),
    table([{ title: 'preset' }, { title: 'passes' }, { title: 'what it is for' }], presetRows),
    'Options of one pass: hone passes PASS. Set one with --set PASS.OPTION=VALUE.',
  ].join('\n\n');
}

function passText(pass: PassInfo): string {
  const needs = pass.needs.length === 0 ? 'nothing' : pass.needs.join(', ');
  const head = `${pass.title} (${pass.id})\n${pass.summary}\nfamily ${pass.family}, ${pass.lossy ? 'lossy' : 'lossless'}, needs ${needs}`;
  if (pass.options.length === 0) return `${head}\n\nIt has no options.`;
  const rows = pass.options.map((option) => [
    option.name,
    allowed(option),
    JSON.stringify(option.default),
    option.description,
  ]);
  return `${head}\n\n${table([{ title: 'option' }, { title: 'value' }, { title: 'default' }, { title: 'meaning' }], rows)}`;
}

/** What an option takes, such as `integer 1..128` or `a | b`. */
function allowed({ kind, choices, minimum, maximum }: OptionForm): string {
  const values = choices?.join(' | ');
  if (kind === 'list') return values === undefined ? 'list' : `list of ${values}`;
  if (values !== undefined) return values;
  if (minimum === undefined && maximum === undefined) return kind;
  return `${kind} ${minimum ?? ''}..${maximum ?? ''}`;
}
