/** The bisect with lowerings of the Core ML writer that are wrong on purpose: a plain one, and one of many operations. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { coreml } from '../../../native-workers/artifacts/coreml.ts';
import type { Lower } from '../../../native-workers/formats/coreml/lower/lowering.ts';
import { openEngine } from '../../../native-workers/runtimes/onnxruntime.ts';
import type { Divergence } from '../../../native-workers/verify/bisect.ts';
import { bisectTarget, chainOf } from '../../helpers/bisect.ts';

const wrong = vi.hoisted(() => new Map<string, Lower>());

vi.mock(import('../../../native-workers/formats/coreml/lower/registry.ts'), async (original) => {
  const own = await original();
  return { ...own, findLowering: (node) => wrong.get(node.label) ?? own.findLowering(node) };
});
afterEach(() => wrong.clear());

const engine = await openEngine();
const options = { ...coreml.defaults, precision: 'float32' } as const;

function bisect(lowerings: Readonly<Record<string, Lower>>): Promise<Divergence | null> {
  for (const [label, lower] of Object.entries(lowerings)) wrong.set(label, lower);
  // HardSwish becomes two operations.
  const model = chainOf((build, convolved) => build.op('HardSwish', [convolved], 'swish'));
  return bisectTarget(engine, coreml, options, model);
}

describe('bisectArtifact with a wrong lowering of Core ML', () => {
  it('names the node, and the operation by type, index and output', async () => {
    const found = await bisect({
      sigmoid_node: (node, lowering) => lowering.result(node, lowering.unary('tanh', lowering.get(node, 0))),
    });
    expect(found).toMatchObject({ node: 'sigmoid_node', type: 'Sigmoid', operators: [{ type: 'tanh' }] });
    const [operator] = found?.operators ?? [];
    expect(found?.artifact).toBe(`tanh ${operator?.index} (${operator?.outputs[0]})`);
  });

  it('names the first and the last of the operations that a node became', async () => {
    const found = await bisect({
      swish_node(node, lowering) {
        const x = lowering.get(node, 0);
        lowering.result(node, lowering.binary('mul', x, lowering.unary('sigmoid', x)));
      },
    });
    expect(found).toMatchObject({ node: 'swish_node', operators: [{ type: 'sigmoid' }, { type: 'mul' }] });
    expect(found?.artifact).toMatch(/^sigmoid \d+ to mul \d+ \(swish\)$/);
  });

  it('finds nothing where all lowerings are right', async () => {
    expect(await bisect({})).toBeNull();
  });
});
