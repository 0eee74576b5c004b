import { describe, expect, it } from 'vitest';
import { inferTypes } from '../../../../native-workers/formats/onnx/infer-types.ts';
import { readOnnxBytes } from '../../../../native-workers/formats/onnx/read.ts';
import { openEngine } from '../../../../native-workers/runtimes/onnxruntime.ts';
import { temporaryFolder } from '../../../helpers/temp.ts';
import { tinyOnnx } from '../../../helpers/tiny-onnx.ts';

describe('inferTypes', () => {
  it('tells a scalar from a value of unknown rank, which the engine gives the same shape', async () => {
    const model = readOnnxBytes(
      tinyOnnx({
        nodes: [
          { type: 'Reshape', inputs: ['x', 'dims'], outputs: ['shaped'] },
          { type: 'Relu', inputs: ['shaped'], outputs: ['y'] },
          { type: 'ReduceSum', inputs: ['x'], outputs: ['sum'], ints: { keepdims: 0 } },
          { type: 'Neg', inputs: ['sum'], outputs: ['z'] },
        ],
        inputs: [
          { name: 'x', shape: [2, 4] },
          { name: 'dims', code: 7, shape: ['rank'] },
        ],
        outputs: [
          { name: 'y', shape: ['rows'] },
          { name: 'z', shape: [] },
        ],
      }),
    );
    const { model: inferred, types } = await inferTypes(model, await openEngine(), temporaryFolder());
    expect(types.get('shaped')).toMatchObject({ dtype: 'float32', shape: null });
    expect(types.get('sum')).toMatchObject({ dtype: 'float32', shape: [] });
    expect(inferred.graph.nodes.size).toBe(4);
    expect(inferred.graph.outputs.map(({ name }) => name)).toEqual(['y', 'z']);
  });

  it('leaves a model of more nodes than the engine can tell the types of in time', async () => {
    const nodes = Array.from({ length: 20_001 }, (_, index) => ({
      type: 'Relu',
      inputs: [index === 0 ? 'x' : `v${index}`],
      outputs: [`v${index + 1}`],
    }));
    const ends = { inputs: [{ name: 'x', shape: [1] }], outputs: [{ name: 'v20001', shape: [1] }] };
    const model = readOnnxBytes(tinyOnnx({ nodes, ...ends }));
    await expect(inferTypes(model, await openEngine(), temporaryFolder())).rejects.toMatchObject({
      code: 'tensor-too-large',
    });
  });
});
