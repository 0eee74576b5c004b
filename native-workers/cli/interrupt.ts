/** Ctrl-C and its like: the first asks the work to stop, which leaves a run that can be resumed; the second ends at once. */
import { exitCodeOf } from '../protocol/errors.ts';
import type { Cli } from './cli.ts';

export function endOnInterrupt(cli: Cli): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      // Job processes end by themselves when this one is gone.
      if (cli.interrupted) process.exit(exitCodeOf('cancelled'));
      process.stderr.write('\nStopping. Interrupt again to end at once.\n');
      cli.interrupt();
    });
  }
}
