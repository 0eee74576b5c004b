import { describe, expect, it } from 'vitest';
import { artifactName, freeName } from '../../../native-workers/artifacts/file-name.ts';
import { loadsOf } from '../../../native-workers/artifacts/loads.ts';
import { compareVersions, onnxRuntimeMinimum } from '../../../native-workers/artifacts/onnxruntime-versions.ts';

const minimum = (opset: number, irVersion: number, ml = 0): string =>
  onnxRuntimeMinimum(
    {
      irVersion,
      opsets: new Map([
        ['', opset],
        ['ai.onnx.ml', ml],
      ]),
    },
    '1.30.0',
  ).minimum;

describe('onnxRuntimeMinimum', () => {
  it('follows the newest part of the model', () => {
    expect(minimum(11, 6)).toBe('1.0');
    expect(minimum(13, 7)).toBe('1.6');
    expect(minimum(17, 8)).toBe('1.12');
    expect(minimum(19, 8)).toBe('1.15');
    expect(minimum(11, 9)).toBe('1.16');
    expect(minimum(11, 6, 4)).toBe('1.17');
    expect(minimum(22, 10)).toBe('1.21');
  });

  it('says what asks for it, and claims no more than was tried beyond the table', () => {
    const of = (opset: number, irVersion: number) =>
      onnxRuntimeMinimum({ irVersion, opsets: new Map([['', opset]]) }, '1.30.0');
    expect(of(13, 10).why).toBe('IR version 10');
    expect(of(21, 8).why).toBe('opset 21');
    expect(of(24, 8)).toMatchObject({ minimum: '1.30.0', why: expect.stringContaining('it loads in 1.30.0') });
    expect(of(13, 12)).toMatchObject({ minimum: '1.30.0' });
  });

  it('compares versions by their numbers', () => {
    expect(compareVersions('1.9', '1.16')).toBeLessThan(0);
    expect(compareVersions('1.16.0', '1.16')).toBe(0);
    expect(compareVersions('2.0', '1.30.1')).toBeGreaterThan(0);
  });
});

describe('loadsOf', () => {
  it('knows the systems of the year of an iOS', () => {
    expect(loadsOf({ iOS: '16' }).map(({ where, minimum: version }) => `${where} ${version}`)).toEqual([
      'iOS and iPadOS 16',
      'macOS 13',
      'tvOS 16',
      'watchOS 9',
    ]);
    expect(loadsOf({ iOS: '16', macOS: '13' })).toEqual(loadsOf({ iOS: '16' }));
    expect(loadsOf({ iOS: '18' })[1]).toEqual({ where: 'macOS', minimum: '15', why: 'specification version 9' });
  });

  it('keeps what it knows nothing of', () => {
    expect(loadsOf({ 'TensorFlow Lite': '2.3.0' }).map(({ where, minimum: version }) => `${where} ${version}`)).toEqual(
      ['TensorFlow Lite 2.3.0', 'Android 6.0 (API 23)', 'iOS 12'],
    );
    expect(loadsOf({ iOS: '99' })).toMatchObject([{ where: 'iOS', minimum: '99' }]);
  });
});

describe('artifactName', () => {
  it('keeps what file systems and asset folders take', () => {
    expect(artifactName('/a/b/net-v2.1.onnx')).toBe('net-v2.1');
    expect(artifactName('vww.tflite.onnx')).toBe('vww');
    expect(artifactName('my model (final).onnx')).toBe('my_model_final_');
    expect(artifactName('modèle.onnx')).toBe('modele');
    expect(artifactName('模型.onnx')).toBe('model');
    expect(artifactName('..hidden.onnx')).toBe('_hidden');
    expect(artifactName('-rf.onnx')).toBe('_rf');
    expect(artifactName('a\u202eb/../c\\d.onnx')).toBe('c_d');
    expect(artifactName(`${'x'.repeat(240)}.onnx`)).toHaveLength(120);
  });

  it('numbers names that a file system may take as one', () => {
    expect(freeName('a', ['b'])).toBe('a');
    expect(freeName('Net', ['net', 'net_2'])).toBe('Net_3');
  });
});
