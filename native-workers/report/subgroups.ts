/** What is said of the gap between subgroups. */
import { LEAST_SAMPLES } from '../metrics/subgroups.ts';
import { formatNumber } from './format.ts';
import type { Unit } from './parts.ts';
import type { AccuracySection } from './sections/accuracy.ts';

/** null where there are too few groups for a gap. A difference of shares is in points; a gap has no sign. */
export function gapSentence({ groups, gap }: NonNullable<AccuracySection['subgroups']>, unit: Unit): string | null {
  if (gap === null) return null;
  const [before, after] = [gap.before, gap.after].map((value) =>
    formatNumber(value, unit === 'share' ? 'points' : unit),
  );
  const isLeftOut = groups.some(({ samples }) => samples < LEAST_SAMPLES);
  const small = isLeftOut ? ` Groups of fewer than ${LEAST_SAMPLES} samples do not count.` : '';
  return `The gap between the best and the worst group: ${before} before, ${after} after.${small}`;
}
