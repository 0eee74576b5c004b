/** The targets of a run as the form edits them, and back. Only options that differ from the defaults of a target are kept. */
import type { RunRequest } from '../../native-workers/protocol/request.ts';
import type { TargetInfo } from '../../native-workers/protocol/studio.ts';
import { type RawValue, rawOf } from './option-values.ts';
import { readOptions } from './recipe-form.ts';

/** By target and option; an option that was not touched is not there. */
export type TargetValues = Readonly<Record<string, Readonly<Record<string, RawValue>>>>;

/** The part of a request: nothing when no target is chosen. Problems go into `problems` by `target.option`. */
export function readTargets(
  chosen: readonly string[],
  values: TargetValues,
  known: readonly TargetInfo[],
  problems: Record<string, string>,
): Pick<RunRequest, 'targets' | 'targetOptions'> {
  const options = optionsByTarget(chosen, values, known, problems);
  return {
    ...(chosen.length === 0 ? {} : { targets: [...chosen] }),
    ...(Object.keys(options).length === 0 ? {} : { targetOptions: options }),
  };
}

export function optionsByTarget(
  chosen: readonly string[],
  values: TargetValues,
  known: readonly TargetInfo[],
  problems: Record<string, string> = {},
): Record<string, Record<string, unknown>> {
  const options: Record<string, Record<string, unknown>> = {};
  for (const { id, options: forms } of known) {
    if (!chosen.includes(id)) continue;
    const changed = readOptions(forms, values[id] ?? {}, id, problems);
    if (Object.keys(changed).length > 0) options[id] = changed;
  }
  return options;
}

/** What the form shows of an earlier run's options. */
export function targetValues(options: RunRequest['targetOptions'], known: readonly TargetInfo[]): TargetValues {
  const entries = known.map(({ id, options: forms }) => {
    const given = options?.[id] ?? {};
    const values = forms.flatMap((form) =>
      form.name in given ? [[form.name, rawOf(form, given[form.name])] as const] : [],
    );
    return [id, Object.fromEntries(values)] as const;
  });
  return Object.fromEntries(entries);
}
