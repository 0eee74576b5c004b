/** Options of targets, from `--set target.option=value`, checked before any work starts. */
import { findTargetFacts, TARGET_FACTS } from '../artifacts/targets.ts';
import { optionForms, parseOption } from '../passes/option-form.ts';
import { completeOptions } from '../passes/options.ts';
import { HoneError } from '../protocol/errors.ts';
import { splitSetting } from './recipes.ts';

type TargetOptions = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** Whether a setting is one of a target, and not of a pass. */
export function isTargetSetting(setting: string): boolean {
  return TARGET_FACTS.some(({ id }) => setting.startsWith(`${id}.`));
}

/**
 * By target. Throws `usage` for what is no setting, and `invalid-options` for targets, options and values that do not exist, and for
 * targets that were not asked for.
 */
export function targetOptions(settings: readonly string[], targets: readonly string[]): TargetOptions {
  const options: Record<string, Record<string, unknown>> = {};
  for (const setting of settings) {
    const { owner: id, name, text } = splitSetting(setting);
    const value = parseOption(findTargetFacts(id), name, text);
    if (!targets.includes(id))
      throw new HoneError(
        'invalid-options',
        `--set ${setting}: ${id} is none of the targets: ${targets.join(', ') || 'none'}.`,
      );
    options[id] = { ...options[id], [name]: value };
  }
  for (const [id, given] of Object.entries(options)) completeOptions(findTargetFacts(id), given);
  return options;
}

/** Every option of every target, for `hone pack --help`. */
export function targetHelp(): string {
  const lines = TARGET_FACTS.flatMap((target) =>
    optionForms(target).map(({ name, description, choices, default: preset }) => {
      const allowed = choices === undefined ? '' : ` (${choices.join(', ')})`;
      return `  ${target.id}.${name}${allowed}, ${JSON.stringify(preset)} unless set: ${description}`;
    }),
  );
  return `\nOptions of targets, for --set:\n${lines.join('\n')}`;
}
