/** Targets in the studio: options, coverage, and what a start asks for. The answers are made up, the host and the page are the real ones. */
import { describe, expect, it } from 'vitest';
import { HoneError } from '../../native-workers/protocol/errors.ts';
import { madeUpPage } from '../helpers/made-up-page.ts';

const page = madeUpPage();

describe('targets', () => {
  it('are chosen after a look at what each target can express', async () => {
    const { made, studio } = page;
    const options: unknown[] = [];
    made.answers.coverage = ({ targets: [target = ''], options: given }) => {
      options.push(given);
      if (target === 'coreml') throw new HoneError('invalid-options', 'There is no target coreml.');
      const unsupported =
        target === 'ort' ? [] : ['layer/p', 'layer/q'].map((node) => ({ node, type: 'TopK', reason: 'none' }));
      return {
        artifacts: [
          {
            target,
            status: unsupported.length === 0 ? 'made' : 'unsupported',
            path: '',
            bytes: 0,
            sha256: '',
            files: [],
            requires: {},
            verified: null,
            coverage: { nodes: 140, supported: 140 - unsupported.length, unsupported },
            notes: [],
            ms: 1,
          },
        ],
        sizes: [],
      };
    };
    let asked: unknown;
    made.answers['runs.start'] = (request) => {
      asked = [request.targets, request.targetOptions];
      throw new HoneError('disk-full', 'The library needs more room than its disk has.');
    };
    await page.open();
    await page.openModel('/models/net.onnx');
    await studio.choosePreset('Half precision');
    await studio.button('Check coverage').click();
    await studio.page.getByText('Covers all 140 nodes.').waitFor();
    await studio.page.getByText('Cannot express 2 of 140 nodes.').waitFor();
    await studio.page.getByText('There is no target coreml.').waitFor();
    const found = studio.page.getByRole('list', { name: 'What TensorFlow Lite can express' });
    await found.getByText('TopK, 2 nodes: none').click();
    await found.getByText('layer/q').waitFor();
    await studio.screenshot('screens-coverage');
    await studio.page.getByRole('checkbox', { name: 'TensorFlow Lite' }).click();
    await studio.page.getByRole('checkbox', { name: 'ONNX Runtime Mobile' }).click();
    await studio.page.getByText('Options', { exact: true }).last().click();
    await studio.page.getByRole('combobox', { name: 'precision' }).click();
    await studio.page.getByRole('option', { name: 'float16' }).click();
    // What was found out holds for other options.
    await found.waitFor({ state: 'detached' });
    await studio.button('Check coverage').click();
    await found.waitFor();
    expect(options.at(-1)).toEqual({ tflite: { precision: 'float16' } });
    await studio.screenshot('screens-target-options');
    await studio.button('Run').click();
    await studio.page.getByRole('alert').getByText('The library needs more room than its disk has.').waitFor();
    expect(asked).toEqual([['ort', 'tflite'], { tflite: { precision: 'float16' } }]);
  });
});
