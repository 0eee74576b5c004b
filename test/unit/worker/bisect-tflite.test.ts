/** The bisect with lowerings of the TFLite writer that are wrong on purpose: a plain one, one fused, one of many operators. */
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { tflite } from '../../../native-workers/artifacts/tflite.ts';
import { writeOnnx } from '../../../native-workers/formats/onnx/write.ts';
import type { Lower } from '../../../native-workers/formats/tflite/lower/registry.ts';
import type { Model } from '../../../native-workers/graph/model.ts';
import { openEngine } from '../../../native-workers/runtimes/onnxruntime.ts';
import type { Divergence } from '../../../native-workers/verify/bisect.ts';
import { bisectArtifact } from '../../../native-workers/worker/bisect-artifact.ts';
import { prepareModel } from '../../../native-workers/worker/prepare-model.ts';
import { ModelBuilder } from '../../helpers/models.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

const wrong = vi.hoisted(() => new Map<string, Lower>());

vi.mock(import('../../../native-workers/formats/tflite/lower/registry.ts'), async (original) => {
  const own = await original();
  return { ...own, findLowering: (node) => wrong.get(node.label) ?? own.findLowering(node) };
});
afterEach(() => wrong.clear());

const engine = await openEngine();
const data = Float32Array.from({ length: 32 }, (_, index) => 8 * Math.sin(index + 1));

async function bisect(model: Model, lowerings: Readonly<Record<string, Lower>>): Promise<Divergence | null> {
  for (const [label, lower] of Object.entries(lowerings)) wrong.set(label, lower);
  const scratch = temporaryFolder();
  const source = join(scratch, 'model.onnx');
  await writeOnnx(model, source);
  return bisectArtifact({
    target: tflite,
    options: tflite.defaults,
    model,
    context: {
      engine,
      source,
      scratch,
      prepared: (batch) => prepareModel(model, engine, scratch, batch),
      progress: async () => undefined,
    },
    inputs: [{ x: { dtype: 'float32', shape: [1, 2, 4, 4], data } }],
  });
}

/** x -> Conv -> Relu -> Softplus (many operators) -> Sigmoid -> GlobalAveragePool. */
function chain(): Model {
  const build = new ModelBuilder();
  const convolved = build.op('Conv', [build.input('x', [1, 2, 4, 4]), build.weight('w', [3, 2, 1, 1], 1)], 'conv');
  const soft = build.op('Softplus', [build.op('Relu', [convolved], 'relu')], 'soft');
  const pooled = build.op('GlobalAveragePool', [build.op('Sigmoid', [soft], 'sigmoid')], 'y');
  return build.outputs(pooled).model();
}

describe('bisectArtifact with a wrong lowering of TFLite', () => {
  it('names the node, and the operator by type, index and output', async () => {
    const found = await bisect(chain(), {
      sigmoid_node: (node, lowering) => lowering.result(node, lowering.unary('TANH', lowering.read(node, 0))),
    });
    expect(found).toMatchObject({ node: 'sigmoid_node', type: 'Sigmoid' });
    expect(found?.operators).toHaveLength(1);
    const [operator] = found?.operators ?? [];
    expect(operator?.type).toBe('TANH');
    expect(found?.artifact).toBe(`TANH ${operator?.index} (${operator?.outputs[0]})`);
  });

  it('names the operator that another was fused into', async () => {
    const found = await bisect(chain(), {
      relu_node: (node, lowering) => lowering.result(node, lowering.unary('RELU6', lowering.read(node, 0))),
    });
    expect(found).toMatchObject({ node: 'relu_node', type: 'Relu', operators: [{ type: 'CONV_2D' }] });
  });

  it('names the first and the last of the operators that a node became', async () => {
    const found = await bisect(chain(), {
      soft_node(node, lowering) {
        const x = lowering.read(node, 0);
        lowering.result(node, lowering.unary('LOG', lowering.add(lowering.unary('EXP', x), 2)));
      },
    });
    expect(found).toMatchObject({ node: 'soft_node', operators: [{ type: 'EXP' }, { type: 'LOG' }] });
    expect(found?.artifact).toMatch(/^EXP \d+ to LOG \d+ \(soft/);
  });

  it('finds nothing where all lowerings are right', async () => {
    expect(await bisect(chain(), {})).toBeNull();
  });
});
