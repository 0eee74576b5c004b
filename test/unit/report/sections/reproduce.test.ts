import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { reproduce } from '../../../../native-workers/report/sections/reproduce.ts';
import { type GoldenRun, goldenInput } from '../../../helpers/report-runs.ts';

async function commandOf(run: GoldenRun, path?: string): Promise<string> {
  const { manifest, facts } = structuredClone(await goldenInput(run));
  if (path !== undefined) manifest.source.path = path;
  const outcome = reproduce.build({ manifest, facts });
  if (outcome.status !== 'measured') throw new Error('There is always a command.');
  return outcome.data.command;
}

/** What a shell makes of the command: its words. */
function words(command: string): string[] {
  const script = `for word in "$@"; do printf '%s\\0' "$word"; done`;
  const { stdout } = spawnSync('sh', ['-c', `set -- ${command}\n${script}`], { encoding: 'utf8' });
  return stdout.split('\0').slice(0, -1);
}

describe('the command', () => {
  it('says all that was asked for', async () => {
    expect(words(await commandOf('mobilenet-int8'))).toEqual([
      ...['hone', 'optimize', 'models/mobilenet_v2.onnx', '--recipe', 'recipe.json', '--calib', 'data/calibration'],
      ...['--eval', 'data/imagenet val subset', '--preprocess', 'preprocess.json', '--samples', '400', '--seed', '42'],
      ...['--threads', '1,2', '--seconds', '30', '--profile', '--max-drop', '1', '--max-ms', '10', '--max-mb', '4'],
    ]);
  });

  it('packages for the same targets with the same options', async () => {
    const { manifest, facts } = structuredClone(await goldenInput('mobilenet-int8'));
    manifest.request['targets'] = ['ort', 'coreml'];
    manifest.request['targetOptions'] = { ort: { style: 'runtime' }, coreml: { batch: 2, labels: ['a,b', "it's"] } };
    const outcome = reproduce.build({ manifest, facts });
    const found = words(outcome.status === 'measured' ? outcome.data.command : '');
    expect(found.slice(found.indexOf('--target'))).toEqual([
      ...['--target', 'ort,coreml', '--set', 'ort.style=runtime'],
      ...['--set', 'coreml.batch=2', '--set', 'coreml.labels=["a,b","it\'s"]'],
    ]);
  });

  it.each(['it\'s $(touch x) `y` "z" \\ & ; | *', '-rf', 'a\nb', 'ünï/模型.onnx'])(
    'keeps the path %j one word',
    async (path) => {
      expect(words(await commandOf('mobilenet-int8', path))[2]).toBe(path.startsWith('-') ? `./${path}` : path);
    },
  );
});
