import { expect, it } from 'vitest';
import { JOBS, type JobName } from '../../../native-workers/protocol/jobs.ts';
import { REGISTRY } from '../../../native-workers/worker/registry.ts';

/** Jobs of the protocol that this version does not do yet: asking for one gives `not-yet`. */
const NOT_YET: readonly JobName[] = ['stage-package'];

const names = Object.keys(JOBS) as JobName[];

it.each(names.filter((name) => !NOT_YET.includes(name)))('%s has its job', async (name) => {
  expect(await REGISTRY[name]?.()).toBeTypeOf('function');
});

it('has no job that the protocol does not know', () => {
  expect(Object.keys(REGISTRY).sort()).toEqual(names.filter((name) => !NOT_YET.includes(name)).sort());
});
