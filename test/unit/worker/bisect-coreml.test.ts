/** The bisect with lowerings of the Core ML writer that are wrong on purpose: a plain one, and one of many operations. */
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { coreml } from '../../../native-workers/artifacts/coreml.ts';
import type { Lower } from '../../../native-workers/formats/coreml/lower/lowering.ts';
import { writeOnnx } from '../../../native-workers/formats/onnx/write.ts';
import type { Model } from '../../../native-workers/graph/model.ts';
import { openEngine } from '../../../native-workers/runtimes/onnxruntime.ts';
import type { Divergence } from '../../../native-workers/verify/bisect.ts';
import { bisectArtifact } from '../../../native-workers/worker/bisect-artifact.ts';
import { ModelBuilder } from '../../helpers/models.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

const wrong = vi.hoisted(() => new Map<string, Lower>());

vi.mock(import('../../../native-workers/formats/coreml/lower/registry.ts'), async (original) => {
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
    target: coreml,
    options: { ...coreml.defaults, precision: 'float32' },
    model,
    context: {
      engine,
      source,
      scratch,
      prepared: () => Promise.reject(new Error('Core ML prepares the model itself')),
      progress: async () => undefined,
    },
    inputs: [{ x: { dtype: 'float32', shape: [1, 2, 4, 4], data } }],
  });
}

/** x -> Conv -> HardSwish (two operations) -> Sigmoid -> GlobalAveragePool. */
function chain(): Model {
  const build = new ModelBuilder();
  const convolved = build.op('Conv', [build.input('x', [1, 2, 4, 4]), build.weight('w', [3, 2, 1, 1], 1)], 'conv');
  const swish = build.op('HardSwish', [convolved], 'swish');
  const pooled = build.op('GlobalAveragePool', [build.op('Sigmoid', [swish], 'sigmoid')], 'y');
  return build.outputs(pooled).model();
}

describe('bisectArtifact with a wrong lowering of Core ML', () => {
  it('names the node, and the operation by type, index and output', async () => {
    const found = await bisect(chain(), {
      sigmoid_node: (node, lowering) => lowering.result(node, lowering.unary('tanh', lowering.get(node, 0))),
    });
    expect(found).toMatchObject({ node: 'sigmoid_node', type: 'Sigmoid', operators: [{ type: 'tanh' }] });
    const [operator] = found?.operators ?? [];
    expect(found?.artifact).toBe(`tanh ${operator?.index} (${operator?.outputs[0]})`);
  });

  it('names the first and the last of the operations that a node became', async () => {
    const found = await bisect(chain(), {
      swish_node(node, lowering) {
        const x = lowering.get(node, 0);
        lowering.result(node, lowering.binary('mul', x, lowering.unary('sigmoid', x)));
      },
    });
    expect(found).toMatchObject({ node: 'swish_node', operators: [{ type: 'sigmoid' }, { type: 'mul' }] });
    expect(found?.artifact).toMatch(/^sigmoid \d+ to mul \d+ \(swish\)$/);
  });

  it('finds nothing where all lowerings are right', async () => {
    expect(await bisect(chain(), {})).toBeNull();
  });
});
