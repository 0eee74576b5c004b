import { describe, expect, it } from 'vitest';
import { isTargetSetting, targetOptions } from '../../../native-workers/cli/target-options.ts';

describe('targetOptions', () => {
  it('reads each option as its kind, by target', () => {
    const settings = ['ort.style=runtime', 'coreml.batch=4', 'coreml.labels=a,b', 'coreml.imageScale=0.5'];
    expect(targetOptions(settings, ['ort', 'coreml'])).toEqual({
      ort: { style: 'runtime' },
      coreml: { batch: 4, labels: ['a', 'b'], imageScale: [0.5] },
    });
    expect(targetOptions([], ['ort'])).toEqual({});
  });

  it.each([
    ['ort', 'usage', /not ort/],
    ['onnx.style=fixed', 'invalid-options', /no target onnx/],
    ['ort.color=red', 'invalid-options', /ort has no option color; its options: style, platform/],
    ['ort.style=fast', 'invalid-options', /ort\.style/],
    ['tflite.precision=float16', 'invalid-options', /tflite is none of the targets: ort/],
  ])('refuses %s', (setting, code, message) => {
    const read = (): unknown => targetOptions([setting], ['ort']);
    expect(read).toThrowError(expect.objectContaining({ code }));
    expect(read).toThrowError(message);
  });

  it('tells settings of targets from those of passes', () => {
    expect(isTargetSetting('coreml.target=iOS17')).toBe(true);
    expect(isTargetSetting('float16.keep=a')).toBe(false);
  });
});
