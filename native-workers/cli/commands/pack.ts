/** `hone pack MODEL`: artifacts for phones. The contract has it, this version does not. */
import type { Command } from 'commander';
import { HoneError } from '../../protocol/errors.ts';
import type { Cli } from '../cli.ts';

export function packCommand(cli: Cli): Command {
  return cli
    .command('pack', 'Make artifacts for phones and run each on its runtime.')
    .argument('[model]', 'model file')
    .option('--target <names>', 'ort, tflite, coreml')
    .option('--out <folder>', 'where to put them')
    .action(() =>
      cli.run(() => {
        throw new HoneError('not-yet', 'This version of Hone makes no artifacts for phones yet.');
      }),
    );
}
