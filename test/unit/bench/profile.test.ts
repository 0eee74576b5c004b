import { describe, expect, it } from 'vitest';
import { parseProfile } from '../../../native-workers/bench/profile.ts';

const kernel = (name: string, operator: string, dur: number, provider = 'CPUExecutionProvider') => ({
  cat: 'Node',
  name: `${name}_kernel_time`,
  dur,
  args: { op_name: operator, provider },
});

describe('parseProfile', () => {
  it('adds up nodes by operator, in the median of the runs after the first', () => {
    const runs = [9000, 100, 300, 200].flatMap((dur) => [
      kernel('a', 'Conv', dur),
      kernel('b', 'Conv', 10),
      kernel('c', 'Add', 5),
    ]);
    const other = [
      { cat: 'Session', name: 'model_run', dur: 1 },
      { cat: 'Node', name: 'a_fence_before', dur: 7 },
      'nonsense',
    ];
    expect(parseProfile(JSON.stringify([...other, ...runs]), 4)).toEqual({
      rows: [
        { operator: 'Conv', nodes: 2, ms: expect.closeTo(0.21) },
        { operator: 'Add', nodes: 1, ms: expect.closeTo(0.005) },
      ],
      placement: { cpu: 3 },
      nodes: new Map([
        ['a', expect.closeTo(0.2)],
        ['b', expect.closeTo(0.01)],
        ['c', expect.closeTo(0.005)],
      ]),
    });
  });

  it('counts a node of a loop body once and adds its calls', () => {
    const events = Array.from({ length: 6 }, () => kernel('body', 'MatMul', 100, 'WebGpuExecutionProvider'));
    expect(parseProfile(JSON.stringify(events), 2)).toEqual({
      rows: [{ operator: 'MatMul', nodes: 1, ms: expect.closeTo(0.3) }],
      placement: { webgpu: 1 },
      nodes: new Map([['body', expect.closeTo(0.3)]]),
    });
    const uneven = parseProfile(JSON.stringify(events.slice(1)), 2);
    expect(uneven.rows[0]?.ms).toBeCloseTo(0.25);
  });
});
