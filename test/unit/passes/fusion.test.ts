import { describe, expect, it } from 'vitest';
import { fusionFacts } from '../../../native-workers/passes/fusion.ts';
import { ModelBuilder } from '../../helpers/models.ts';

const KERNEL = 'com.microsoft:Fused';

/** A graph with a fused kernel for each of the names. */
function optimised(...names: string[]) {
  const build = new ModelBuilder();
  const x = build.input('x', [1]);
  for (const name of names) build.op('Fused', [x], name, {}, 'com.microsoft');
  build.op('Relu', [x], 'plain');
  return build.graph;
}

const expected = (...outputs: string[]) => [
  { kernel: KERNEL, nodes: outputs.map((output) => ({ label: `node of ${output}`, output })) },
];

describe('fusionFacts', () => {
  it('counts operators and finds kernels by the value that they make', () => {
    expect(fusionFacts(optimised('a', 'b'), expected('a', 'b'))).toEqual({
      operators: { ':Relu': 1, [KERNEL]: 2 },
      expected: [{ kernel: KERNEL, expected: 2, found: 2, missing: [] }],
    });
  });

  it('names the nodes that did not fuse', () => {
    expect(fusionFacts(optimised('b'), expected('a', 'b')).expected).toEqual([
      { kernel: KERNEL, expected: 2, found: 1, missing: ['node of a'] },
    ]);
  });

  it('takes a value of the name from another operator for missing', () => {
    expect(fusionFacts(optimised(), expected('plain')).expected).toEqual([
      { kernel: KERNEL, expected: 1, found: 0, missing: ['node of plain'] },
    ]);
  });

  it('lets a kernel that the engine named anew stand for one that is not found by name', () => {
    expect(fusionFacts(optimised('a', 'renamed'), expected('a', 'b', 'c')).expected).toEqual([
      { kernel: KERNEL, expected: 3, found: 2, missing: ['node of c'] },
    ]);
  });

  it('adds the expectations of several passes up', () => {
    const all = [...expected('a'), ...expected('b')];
    expect(fusionFacts(optimised('a', 'b'), all).expected).toEqual([
      { kernel: KERNEL, expected: 2, found: 2, missing: [] },
    ]);
  });
});
