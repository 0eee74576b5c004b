/** The command line: parses the arguments, runs one command, and ends with its exit code. Each command is a file in `commands/`. */
import { Command } from 'commander';
import { exitCodeOf } from '../protocol/errors.ts';
import { HONE_VERSION } from '../protocol/version.ts';
import { Cli } from './cli.ts';
import { benchCommand } from './commands/bench.ts';
import { doctorCommand } from './commands/doctor.ts';
import { evalCommand } from './commands/eval.ts';
import { inspectCommand } from './commands/inspect.ts';
import { optimizeCommand } from './commands/optimize.ts';
import { packCommand } from './commands/pack.ts';
import { passesCommand } from './commands/passes.ts';
import { reportCommand } from './commands/report.ts';
import { resumeCommand } from './commands/resume.ts';
import { runsCommand } from './commands/runs.ts';
import { serveCommand } from './commands/serve.ts';
import { showCommand } from './commands/show.ts';
import { verifyCommand } from './commands/verify.ts';
import { endOnInterrupt } from './interrupt.ts';

/** In the order of the help. */
const COMMANDS = [
  inspectCommand,
  optimizeCommand,
  benchCommand,
  evalCommand,
  packCommand,
  reportCommand,
  verifyCommand,
  runsCommand,
  showCommand,
  resumeCommand,
  passesCommand,
  doctorCommand,
  serveCommand,
];

export async function main(args: readonly string[]): Promise<void> {
  const end = args.indexOf('--');
  const json = (end === -1 ? args : args.slice(0, end)).includes('--json');
  const cli = new Cli(process, json);
  const program = cli
    .prepare(new Command('hone'))
    .description('Makes machine-learning models smaller and faster, and proves it.')
    .version(HONE_VERSION)
    .addHelpText(
      'after',
      '\nEvery command takes --json. Exit codes: 0 ok, 1 a budget or check failed, 2 usage, 3 input, 4 environment, 5 internal.',
    );
  for (const command of COMMANDS) program.addCommand(command(cli));

  endOnInterrupt(cli);
  // The reader of our output may go first: `hone runs | head`.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit();
    throw error;
  });

  if (args.length === 0) {
    process.stderr.write(program.helpInformation());
    process.exitCode = exitCodeOf('usage');
    return;
  }
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (thrown) {
    cli.fail(thrown);
  }
  process.exitCode = cli.exitCode;
}
