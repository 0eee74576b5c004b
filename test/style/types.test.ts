/** No `any`, no suppressed check without a reason on its line, no leftovers. Counts are zero and stay zero. */
import { describe, expect, it } from 'vitest';
import { sourceFiles } from '../helpers/sources.ts';

const files = sourceFiles(['native-workers', 'electron', 'renderer', 'assets', 'test']).filter(
  (file) => !file.path.endsWith('.css') && !file.path.startsWith('test/style/') && !file.path.includes('/assembly/'),
);

function lines(pattern: RegExp): string[] {
  return files.flatMap((file) =>
    file.text
      .split('\n')
      .flatMap((line, index) => (pattern.test(line) ? [`${file.path}:${index + 1}: ${line.trim()}`] : [])),
  );
}

describe('types', () => {
  it('has no any', () => {
    expect(lines(/(:|<|\bas|,|\|)\s*any\b(?!['\w -]*[.'`])/).filter((line) => !/^\S+ (\/\/|\/?\*)/.test(line))).toEqual(
      [],
    );
  });

  it('suppresses no check without a reason on the line', () => {
    expect(lines(/@ts-(ignore|nocheck)/)).toEqual([]);
    expect(lines(/@ts-expect-error\s*$/)).toEqual([]);
    expect(lines(/biome-ignore [^:]*:?\s*$/)).toEqual([]);
  });

  it('leaves no marks of unfinished work', () => {
    expect(lines(/\b(TODO|FIXME|XXX|HACK)\b/)).toEqual([]);
  });

  it('skips no test without saying why', () => {
    expect(lines(/\b(it|test|describe)\.(only|todo|skip)\(/)).toEqual([]);
  });
});

describe('files', () => {
  it('stay short enough to read', () => {
    /** Longer than 400 lines, each with the reason. */
    const EXCEPTIONS: Record<string, string> = {};
    const long = files
      .filter((file) => file.text.split('\n').length > 400 && !(file.path in EXCEPTIONS))
      .map((file) => `${file.path} has ${file.text.split('\n').length} lines`);
    expect(long).toEqual([]);
  });

  it('name no path of one machine', () => {
    expect(lines(/['"`(]\/(home|root|work|Users)\//)).toEqual([]);
  });
});
