import { expect, it } from 'vitest';
import { JOBS, type JobName } from '../../../native-workers/protocol/jobs.ts';
import { REGISTRY } from '../../../native-workers/worker/registry.ts';

const names = Object.keys(JOBS) as JobName[];

it.each(names)('%s has its job', async (name) => {
  expect(await REGISTRY[name]?.()).toBeTypeOf('function');
});

it('has no job that the protocol does not know', () => {
  expect(Object.keys(REGISTRY).sort()).toEqual([...names].sort());
});
