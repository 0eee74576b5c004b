/**
 * What every command shares: one JSON document or one text on standard output, everything else on standard error, errors in
 * one form, exit codes, and Ctrl-C. A command is a file in `commands/` that returns a result and never prints or exits.
 */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { ERROR_TEXT } from '../protocol/error-text.ts';
import { exitCodeOf, HoneError, toHoneError } from '../protocol/errors.ts';
import type { Progress } from '../protocol/messages.ts';
import { ProgressLine, type Terminal } from './progress.ts';
import { plain } from './text.ts';

export interface CommandResult {
  /** The document of `--json`. */
  readonly json: unknown;
  /** The same for people. */
  readonly text: string;
  /** 0 unless a budget or a check failed (1) or the command kept an error in its document. */
  readonly exitCode?: number;
}

export interface Context {
  readonly signal: AbortSignal;
  readonly progress: (stage: string, progress: Progress) => void;
  /** A line for people, at once, on standard error. */
  readonly say: (text: string) => void;
  /** Prints the result before the work ends, for a command that then goes on; it returns null. */
  readonly print: (result: CommandResult) => void;
}

export interface Streams {
  readonly stdout: Terminal;
  readonly stderr: Terminal;
}

export class Cli {
  readonly #streams: Streams;
  readonly #json: boolean;
  readonly #interrupt = new AbortController();
  #printed = false;
  exitCode = 0;

  /** `json` is asked of the arguments before they are parsed, so that a wrong flag is answered in JSON too. */
  constructor(streams: Streams, json: boolean) {
    this.#streams = streams;
    this.#json = json;
  }

  /** A command with what all have; unknown flags and extra arguments are errors. */
  command(name: string, summary: string): Command {
    return this.prepare(new Command(name))
      .description(summary)
      .option('--json', 'print one JSON document on standard output');
  }

  prepare(command: Command): Command {
    return command
      .exitOverride()
      .allowExcessArguments(false)
      .showHelpAfterError(false)
      .configureOutput({
        writeOut: (text) => this.#streams.stdout.write(text),
        // Wrong usage is printed by `fail`, in the form that was asked for.
        writeErr: () => undefined,
      });
  }

  /** The first interrupt asks the work to stop; the caller ends the process at the second. */
  interrupt(): void {
    this.#interrupt.abort(new HoneError('cancelled', 'Interrupted.'));
  }

  get interrupted(): boolean {
    return this.#interrupt.signal.aborted;
  }

  /** Runs the work of a command and prints its result or its error. */
  async run(work: (context: Context) => Promise<CommandResult | null>): Promise<void> {
    const line = new ProgressLine(this.#streams.stderr);
    const print = ({ json, text, exitCode = 0 }: CommandResult): void => {
      line.clear();
      const shown = this.#json ? JSON.stringify(json, null, 2) : text;
      if (shown !== '') this.#streams.stdout.write(`${shown}\n`);
      this.#printed = true;
      this.exitCode = exitCode;
    };
    const context: Context = {
      signal: this.#interrupt.signal,
      progress: (stage, progress) => line.update(stage, progress),
      say: (text) => line.line(text),
      print,
    };
    try {
      const result = await work(context);
      line.clear();
      if (result !== null) print(result);
    } catch (thrown) {
      line.clear();
      this.fail(thrown);
    }
  }

  /** Prints an error. Wrong usage as commander found it has the code `usage`; its help and version are no errors. */
  fail(thrown: unknown): void {
    if (thrown instanceof CommanderError && thrown.exitCode === 0) return;
    const error =
      thrown instanceof CommanderError
        ? new HoneError('usage', thrown.message.replace(/^error: /, '').replace(/\s+/g, ' '))
        : toHoneError(thrown);
    this.exitCode = exitCodeOf(error.code);
    // A second document would spoil the first.
    if (this.#json && !this.#printed)
      this.#streams.stdout.write(`${JSON.stringify({ error: error.toData() }, null, 2)}\n`);
    else this.#streams.stderr.write(`${errorText(error)}\n`);
  }
}

/** An error for people: what happened, where, what it means, what to do next. */
export function errorText(error: HoneError): string {
  const words = ERROR_TEXT[error.code];
  const where = Object.entries(error.where ?? {})
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name} ${value}`);
  return [
    `error: ${words.title.toLowerCase()} (${error.code})`,
    `  ${plain(error.message)}`,
    ...(where.length > 0 ? [`  at ${plain(where.join(', '))}`] : []),
    `  ${words.meaning}`,
    `  ${words.next}`,
  ].join('\n');
}

/** Parsers of option values: commander names the option in the error. */
export function positive(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value > 0) || !Number.isFinite(value)) {
    throw new InvalidArgumentError('It must be a number above 0.');
  }
  return value;
}

export function notNegative(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0) || !Number.isFinite(value)) {
    throw new InvalidArgumentError('It must be a number of 0 or more.');
  }
  return value;
}

export function positiveInteger(text: string): number {
  const value = positive(text);
  if (!Number.isSafeInteger(value)) throw new InvalidArgumentError('It must be a whole number above 0.');
  return value;
}

export function seed(text: string): number {
  const value = notNegative(text);
  if (!Number.isSafeInteger(value)) throw new InvalidArgumentError('It must be a whole number of 0 or more.');
  return value;
}

export function names(text: string): string[] {
  const list = text.split(',').map((name) => name.trim());
  if (list.some((name) => name === '')) throw new InvalidArgumentError('It must be names with commas between.');
  return list;
}

export function positiveIntegers(text: string): number[] {
  return text.split(',').map(positiveInteger);
}

/** An option that may be given more than once. */
export function repeated(flags: string, description: string): Option {
  return new Option(flags, description).argParser((value: string, before: string[] | undefined) => [
    ...(before ?? []),
    value,
  ]);
}
