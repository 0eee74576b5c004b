/** The bisect with lowerings of the TFLite writer that are wrong on purpose: a plain one, one fused, one of many operators. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { tflite } from '../../../native-workers/artifacts/tflite.ts';
import type { Lower } from '../../../native-workers/formats/tflite/lower/registry.ts';
import { openEngine } from '../../../native-workers/runtimes/onnxruntime.ts';
import type { Divergence } from '../../../native-workers/verify/bisect.ts';
import { bisectTarget, chainOf } from '../../helpers/bisect.ts';

const wrong = vi.hoisted(() => new Map<string, Lower>());

vi.mock(import('../../../native-workers/formats/tflite/lower/registry.ts'), async (original) => {
  const own = await original();
  return { ...own, findLowering: (node) => wrong.get(node.label) ?? own.findLowering(node) };
});
afterEach(() => wrong.clear());

const engine = await openEngine();

function bisect(lowerings: Readonly<Record<string, Lower>>): Promise<Divergence | null> {
  for (const [label, lower] of Object.entries(lowerings)) wrong.set(label, lower);
  // Relu is fused, and Softplus becomes many operators.
  const model = chainOf((build, convolved) => build.op('Softplus', [build.op('Relu', [convolved], 'relu')], 'soft'));
  return bisectTarget(engine, tflite, tflite.defaults, model);
}

describe('bisectArtifact with a wrong lowering of TFLite', () => {
  it('names the node, and the operator by type, index and output', async () => {
    const found = await bisect({
      sigmoid_node: (node, lowering) => lowering.result(node, lowering.unary('TANH', lowering.read(node, 0))),
    });
    expect(found).toMatchObject({ node: 'sigmoid_node', type: 'Sigmoid' });
    expect(found?.operators).toHaveLength(1);
    const [operator] = found?.operators ?? [];
    expect(operator?.type).toBe('TANH');
    expect(found?.artifact).toBe(`TANH ${operator?.index} (${operator?.outputs[0]})`);
  });

  it('names the operator that another was fused into', async () => {
    const found = await bisect({
      relu_node: (node, lowering) => lowering.result(node, lowering.unary('RELU6', lowering.read(node, 0))),
    });
    expect(found).toMatchObject({ node: 'relu_node', type: 'Relu', operators: [{ type: 'CONV_2D' }] });
  });

  it('names the first and the last of the operators that a node became', async () => {
    const found = await bisect({
      soft_node(node, lowering) {
        const x = lowering.read(node, 0);
        lowering.result(node, lowering.unary('LOG', lowering.add(lowering.unary('EXP', x), 2)));
      },
    });
    expect(found).toMatchObject({ node: 'soft_node', operators: [{ type: 'EXP' }, { type: 'LOG' }] });
    expect(found?.artifact).toMatch(/^EXP \d+ to LOG \d+ \(soft/);
  });

  it('finds nothing where all lowerings are right', async () => {
    expect(await bisect({})).toBeNull();
  });
});
