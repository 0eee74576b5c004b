import { cpus } from 'node:os';
import { describe, expect, it } from 'vitest';
import { describeEnvironment, linuxFeatures, macFeatures } from '../../../native-workers/bench/environment.ts';
import { machineIndex } from '../../../native-workers/bench/machine-index.ts';
import { environmentSchema } from '../../../native-workers/protocol/facts.ts';

describe('environment', () => {
  it('describes this machine within its schema', async () => {
    const environment = environmentSchema.parse(await describeEnvironment('engine 1'));
    expect(environment).toMatchObject({ cores: cpus().length, engine: 'engine 1', node: process.versions.node });
    expect(environment.memory).toBeGreaterThan(2 ** 28);
  });

  it('reads instruction sets of x86 and ARM on Linux', () => {
    expect(linuxFeatures('model name\t: X\nflags\t\t: fpu sse4_2 avx2 avx512_vnni amx_int8\n')).toEqual([
      'sse4.2',
      'avx2',
      'avx512_vnni',
      'amx_int8',
    ]);
    expect(linuxFeatures('Features\t: fp asimd asimddp i8mm\n')).toEqual(['neon', 'dotprod', 'i8mm']);
    expect(linuxFeatures(null)).toEqual([]);
  });

  it('reads instruction sets of macOS', () => {
    expect(macFeatures('hw.optional.neon: 1\nhw.optional.arm.FEAT_I8MM: 1\nhw.optional.arm.FEAT_SME: 0\n')).toEqual([
      'neon',
      'i8mm',
    ]);
    expect(macFeatures(null)).toEqual([]);
  });

  it('measures an index of the machine', () => {
    expect(machineIndex()).toBeGreaterThan(1);
  });
});
