import { describe, expect, it } from 'vitest';
import { CLEAN_DEFAULTS, clean } from '../../../native-workers/passes/clean.ts';
import { float16 } from '../../../native-workers/passes/float16.ts';
import { completeOptions } from '../../../native-workers/passes/options.ts';
import { HoneError } from '../../../native-workers/protocol/errors.ts';

function refusal(run: () => unknown): HoneError {
  try {
    run();
  } catch (thrown) {
    if (thrown instanceof HoneError) return thrown;
  }
  throw new Error('Nothing was refused.');
}

describe('completeOptions', () => {
  it('fills up with the defaults', () => {
    expect(completeOptions(clean, { foldConstants: false })).toEqual({ ...CLEAN_DEFAULTS, foldConstants: false });
    expect(completeOptions(clean)).toEqual(CLEAN_DEFAULTS);
  });

  it('names an unknown option', () => {
    const error = refusal(() => completeOptions(clean, { foldConstnats: true }));
    expect(error.code).toBe('invalid-options');
    expect(error.message).toMatch(/^clean\.foldConstnats: .*foldConstants/);
  });

  it('names an option out of range', () => {
    const error = refusal(() => completeOptions(float16, { maxUnderflow: 2 }));
    expect(error.code).toBe('invalid-options');
    expect(error.message).toMatch(/^float16\.maxUnderflow: /);
  });
});
