import { describe, expect, it } from 'vitest';
import { ProgressLine } from '../../../native-workers/cli/progress.ts';

function recorder(isTTY: boolean): {
  stream: { isTTY: boolean; columns: number; write(text: string): void };
  text: () => string;
} {
  const written: string[] = [];
  return { stream: { isTTY, columns: 60, write: (text) => written.push(text) }, text: () => written.join('') };
}

describe('progress on a terminal', () => {
  it('draws one line over and over, no wider than the terminal, and takes it away', () => {
    const { stream, text } = recorder(true);
    let now = 0;
    const line = new ProgressLine(stream, () => now);
    line.update('optimize', { phase: 'fold', done: 1, total: 4, detail: 'x'.repeat(100) });
    now += 10;
    line.update('optimize', { phase: 'fold', done: 2, total: 4 });
    now += 200;
    line.update('optimize', { phase: 'fold', done: 4, total: 4 });
    line.clear();
    const frames = text().split('\r\u001b[K');
    expect(frames.slice(1)).toEqual([
      `[======                  ] optimize: fold 1/4, ${'x'.repeat(12)}`,
      '[========================] optimize: fold 4/4',
      '',
    ]);
    expect(text()).not.toContain('\n');
  });
});

describe('progress in a file', () => {
  it('writes a line for a new phase, then only now and then', () => {
    const { stream, text } = recorder(false);
    let now = 0;
    const line = new ProgressLine(stream, () => now);
    for (let done = 0; done < 100; done++) {
      line.update('bench', { phase: 'block', done, total: 100 });
      now += 100;
    }
    line.update('bench', { phase: 'cold start', done: 0, total: null });
    line.line('warning: \u001b[2J');
    expect(text().split('\n')).toEqual([
      'bench: block 0/100',
      'bench: block 50/100',
      'bench: cold start',
      'warning: [U+001B][2J',
      '',
    ]);
  });
});
