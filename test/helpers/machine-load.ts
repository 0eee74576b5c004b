/** How busy the machine is, programs of others included. */
import { cpus } from 'node:os';

/** Call the result after a while: the share of all processor time since then that was used, in percent. */
export function loadPercent(): () => number {
  const before = totals();
  return () => {
    const after = totals();
    return Math.round((100 * (after.busy - before.busy)) / Math.max(1, after.all - before.all));
  };
}

function totals(): { busy: number; all: number } {
  return cpus().reduce(
    ({ busy, all }, { times }) => {
      const sum = times.user + times.nice + times.sys + times.irq;
      return { busy: busy + sum, all: all + sum + times.idle };
    },
    { busy: 0, all: 0 },
  );
}
