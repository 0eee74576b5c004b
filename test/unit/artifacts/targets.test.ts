import { describe, expect, it } from 'vitest';
import { findTarget, TARGETS } from '../../../native-workers/artifacts/registry.ts';
import { checkTargets, TARGET_FACTS } from '../../../native-workers/artifacts/targets.ts';

describe('targets', () => {
  it('have a writer each, in the same order', () => {
    expect(TARGETS.map(({ id }) => id)).toEqual(TARGET_FACTS.map(({ id }) => id));
    for (const { id } of TARGET_FACTS) expect(findTarget(id).id).toBe(id);
  });

  it('accept their own defaults', () => {
    for (const { schema, defaults } of TARGET_FACTS) expect(schema.parse(defaults)).toEqual(defaults);
  });
});

describe('checkTargets', () => {
  it('takes targets in any order', () => {
    expect(checkTargets(['tflite', 'ort'])).toEqual(['tflite', 'ort']);
  });

  it('refuses what is none, and the same twice', () => {
    expect(() => checkTargets(['onnx'])).toThrowError(expect.objectContaining({ code: 'invalid-options' }));
    expect(() => checkTargets(['ort', 'ort'])).toThrowError(/listed twice/);
  });
});
