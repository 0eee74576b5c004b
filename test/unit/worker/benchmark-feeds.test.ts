import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { planVariants } from '../../../native-workers/bench/plan.ts';
import { onnxBytes } from '../../../native-workers/formats/onnx/write.ts';
import type { Dim } from '../../../native-workers/graph/types.ts';
import type { Feeds } from '../../../native-workers/lib/engine.ts';
import { feedsFromData, feedsFromReadable } from '../../../native-workers/worker/benchmark-feeds.ts';
import { ModelBuilder } from '../../helpers/models.ts';
import { floats, writeNpz } from '../../helpers/npz.ts';
import { RED, solid, writeFiles } from '../../helpers/sample-pictures.ts';
import { temporaryFolder } from '../../helpers/temp.ts';

/** A model of one Relu over [batch, 2], with three samples of data. */
async function modelAndData(batch: Dim): Promise<{ model: string; data: string }> {
  const folder = temporaryFolder();
  const [model, data] = [join(folder, 'model.onnx'), join(folder, 'data.npz')];
  const build = new ModelBuilder();
  const input = build.input('x', [batch, 2]);
  writeFileSync(model, onnxBytes(build.outputs(build.op('Relu', [input], 'y')).model()));
  await writeNpz(data, { x: floats([3, 2], [1, 2, 3, 4, 5, 6]) });
  return { model, data };
}

async function feeds(batch: Dim, asked?: number): Promise<Feeds> {
  const { model, data } = await modelAndData(batch);
  const options = asked === undefined ? {} : { batch: [asked] };
  const [variant] = planVariants([{ name: 'source', path: model, label: 'original' }], options);
  if (variant === undefined) throw new Error('The plan holds no variant.');
  return feedsFromData(data, undefined)(variant);
}

describe('feeds of a benchmark from data', () => {
  it('are one sample where the batch is free and nothing is asked for, else as many as asked for', async () => {
    expect((await feeds('batch'))['x']).toMatchObject({ shape: [1, 2] });
    expect((await feeds('batch', 2))['x']).toMatchObject({ shape: [2, 2] });
  });

  it("fill up the model's own batch where that is larger than the data", async () => {
    expect((await feeds(4))['x']).toMatchObject({ shape: [4, 2], data: Float32Array.of(1, 2, 3, 4, 5, 6, 5, 6) });
  });

  it('are of samples that can be read, where the first cannot', async () => {
    const folder = writeFiles(temporaryFolder(), { 'a.png': 'no picture', 'b.png': await solid(RED, 2, 2) });
    const model = join(temporaryFolder(), 'model.onnx');
    const build = new ModelBuilder();
    const image = build.input('image', ['batch', 3, 2, 2]);
    writeFileSync(model, onnxBytes(build.outputs(build.op('Relu', [image], 'y')).model()));
    const [variant] = planVariants([{ name: 'source', path: model, label: 'original' }], {});
    if (variant === undefined) throw new Error('The plan holds no variant.');
    expect((await feedsFromData(folder, undefined)(variant))['image']).toMatchObject({ shape: [1, 3, 2, 2] });
  });

  it('are refused for another batch than the fixed one', async () => {
    await expect(feeds(4, 2)).rejects.toMatchObject({
      code: 'data-mismatch',
      message: "Input 'x' [4, 2] has a batch that is fixed at 4, so it cannot be run with 2.",
    });
  });

  it('are taken from the data of a run whatever the batch of the model', async () => {
    const { model, data } = await modelAndData(4);
    const lines: string[] = [];
    const found = await feedsFromReadable([data], model, undefined, (_level, message) => void lines.push(message));
    expect(found).not.toBeNull();
    expect(lines).toEqual([]);
  });
});
