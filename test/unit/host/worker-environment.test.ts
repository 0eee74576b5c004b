import { expect, it } from 'vitest';
import { workerEnvironment } from '../../../native-workers/host/worker-environment.ts';

it('keeps what programs and drivers need, and nothing else', () => {
  const parent = {
    PATH: '/bin',
    Path: 'C:\\Windows',
    LC_ALL: 'C',
    CUDA_VISIBLE_DEVICES: '0',
    HONE_LIBRARY: '/library',
    NODE_OPTIONS: '--inspect',
    ELECTRON_RUN_AS_NODE: '1',
    LD_PRELOAD: 'evil.so',
    AWS_SECRET_ACCESS_KEY: 'secret',
    npm_config_registry: 'x',
    TMPDIR: '/tmp',
  };
  expect(workerEnvironment(parent, '/scratch')).toEqual({
    PATH: '/bin',
    Path: 'C:\\Windows',
    LC_ALL: 'C',
    CUDA_VISIBLE_DEVICES: '0',
    HONE_LIBRARY: '/library',
    TMPDIR: '/scratch',
    TEMP: '/scratch',
    TMP: '/scratch',
  });
});
