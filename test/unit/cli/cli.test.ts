import { describe, expect, it } from 'vitest';
import { Cli, errorText, names, positiveInteger, positiveIntegers, seed } from '../../../native-workers/cli/cli.ts';
import { HoneError } from '../../../native-workers/protocol/errors.ts';

interface Run {
  readonly out: string;
  readonly err: string;
  readonly exitCode: number;
}

async function run(
  json: boolean,
  args: readonly string[],
  work: () => Promise<never> | Promise<{ json: unknown; text: string; exitCode?: number }>,
): Promise<Run> {
  let out = '';
  let err = '';
  const stream = (write: (text: string) => void) => ({ write });
  const cli = new Cli(
    {
      stdout: stream((text) => {
        out += text;
      }),
      stderr: stream((text) => {
        err += text;
      }),
    },
    json,
  );
  const command = cli
    .command('try', 'A command.')
    .option('--threads <n>', 'threads', positiveIntegers)
    .option('--provider <names>', 'providers', names)
    .option('--samples <n>', 'samples', positiveInteger)
    .option('--seed <n>', 'seed', seed)
    .action(() => cli.run(work));
  try {
    await command.parseAsync(args, { from: 'user' });
  } catch (thrown) {
    cli.fail(thrown);
  }
  return { out, err, exitCode: cli.exitCode };
}

const done = (exitCode?: number) => async () => ({
  json: { a: 1 },
  text: 'one',
  ...(exitCode === undefined ? {} : { exitCode }),
});

describe('a result', () => {
  it('is one document with --json and text without', async () => {
    expect(await run(true, ['--json'], done())).toEqual({ out: '{\n  "a": 1\n}\n', err: '', exitCode: 0 });
    expect(await run(false, [], done(1))).toEqual({ out: 'one\n', err: '', exitCode: 1 });
  });
});

describe('an error', () => {
  const fail = (): Promise<never> =>
    Promise.reject(new HoneError('file-truncated', 'It ends early.', { where: { file: 'a.onnx', offset: 7 } }));

  it('is one document with --json', async () => {
    const { out, err, exitCode } = await run(true, ['--json'], fail);
    expect(JSON.parse(out)).toEqual({
      error: {
        code: 'file-truncated',
        kind: 'input',
        message: 'It ends early.',
        where: { file: 'a.onnx', offset: 7 },
        hint: 'Copy or download the file again and compare its size with the original.',
      },
    });
    expect([err, exitCode]).toEqual(['', 3]);
  });

  it('is said on standard error without', async () => {
    const { out, err, exitCode } = await run(false, [], fail);
    expect([out, exitCode]).toEqual(['', 3]);
    expect(err).toContain('It ends early.\n  at file a.onnx, offset 7\n');
  });

  it('of a terminal-driving name is disarmed', () => {
    expect(errorText(new HoneError('graph-invalid', 'node \u001b]0;x\u0007'))).not.toContain('\u001b');
  });
});

describe('wrong usage', () => {
  it.each([
    [['--nonsense'], '--nonsense'],
    [['extra'], 'too many arguments'],
    [['--samples', '1.5'], '--samples'],
    [['--samples', ''], '--samples'],
    [['--threads', '1,x'], '--threads'],
    [['--provider', 'cpu,'], '--provider'],
    [['--seed', '-1'], '--seed'],
    [['--seed'], '--seed'],
  ])('%j is named, with exit code 2', async (args, named) => {
    const { out, exitCode } = await run(true, args, done());
    const { error } = JSON.parse(out) as { error: { code: string; message: string } };
    expect([error.code, exitCode]).toEqual(['usage', 2]);
    expect(error.message).toContain(named);
  });
});
