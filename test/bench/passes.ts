/**
 * What the presets that need no data do to the reference models: size, nodes, fused kernels, accuracy and speed at one thread.
 * Writes test/bench/results/passes.md. Needs HONE_SHARED. Run: `node test/bench/passes.ts` (about five minutes).
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { runnableBatches } from '../../native-workers/datasets/batching.ts';
import { openDataset } from '../../native-workers/datasets/open-dataset.ts';
import { seededInputs } from '../../native-workers/datasets/seeded-inputs.ts';
import { signatureOf } from '../../native-workers/datasets/signature.ts';
import { openModel } from '../../native-workers/formats/registry.ts';
import type { Feeds } from '../../native-workers/lib/engine.ts';
import { findPreset } from '../../native-workers/passes/presets.ts';
import { optimizeFactsSchema } from '../../native-workers/protocol/facts.ts';
import { openEngine } from '../../native-workers/runtimes/onnxruntime.ts';
import { stageOptimize } from '../../native-workers/worker/stage-optimize.ts';
import { SHARED } from '../helpers/shared.ts';
import { ROOT } from '../helpers/sources.ts';

const IMAGES = {
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
  scale: 1 / 255,
};
const MODELS = [
  { path: 'models/langid-bert/model.onnx', data: 'models/data/langid/test.npz' },
  { path: 'models/tiny-llama/model.onnx', data: 'models/data/debtext/val.npz' },
  { path: 'models/glyphs-resnet/model.onnx', data: 'models/data/glyphs/test.zip', preprocess: IMAGES },
  { path: 'models/glyphs-mobilenetv2/model.onnx', data: 'models/data/glyphs/test.zip', preprocess: IMAGES },
  { path: 'real/Ultraface_version-RFB-320.onnx' },
];
const PRESET_NAMES = ['clean', 'int8-dynamic', 'int8-weights', 'float16', 'float16-compute'];
const ROUNDS = 60;

const engine = await openEngine();
const scratch = mkdtempSync(join(tmpdir(), 'hone-bench-'));
const rows: string[][] = [];
for (const model of MODELS) {
  const source = join(SHARED, model.path);
  const opened = await openModel(source);
  const signature = signatureOf(opened);
  const basic = join(scratch, 'basic.onnx');
  await (await engine.open(source, { optimization: 'basic', optimizedModelPath: basic })).release();
  const nodesOfBasic = [...(await openModel(basic)).graph.allNodes()].length;
  const before = model.data === undefined ? null : await accuracy(source, model.data, model.preprocess);
  const bytes = opened.source?.bytes ?? 0;
  const nodes = [...opened.graph.allNodes()].length;
  rows.push([model.path, 'as it is', megabytes(bytes), `${nodes} (basic: ${nodesOfBasic})`, '', before ?? '', '', '']);
  for (const preset of PRESET_NAMES) {
    const run = mkdtempSync(join(scratch, 'run-'));
    const file = join(run, '02-optimize.json');
    const start = performance.now();
    await stageOptimize(
      { run, file, request: { model: source, recipe: findPreset(preset), seed: 1, benchmark: {}, budgets: {} } },
      { progress: async () => undefined, log: () => undefined },
    );
    const took = performance.now() - start;
    const facts = optimizeFactsSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
    const path = join(run, facts.model?.path ?? '');
    const fused = (facts.fusion?.expected ?? []).map(
      ({ kernel, expected, found }) => `${kernel.split(':')[1]} ${found}/${expected}`,
    );
    let ratio = '';
    for await (const { feeds } of runnableBatches(seededInputs(signature, 1, 1), signature, { batchSize: 1 })) {
      ratio = await compare(source, path, feeds);
    }
    const after = model.data === undefined ? '' : await accuracy(path, model.data, model.preprocess);
    const seconds = `${(took / 1000).toFixed(1)} s`;
    const size = megabytes(facts.model?.bytes ?? 0);
    rows.push(['', preset, size, String(facts.inspect?.nodes ?? ''), fused.join(', '), after, ratio, seconds]);
    process.stderr.write(`${rows.at(-1)?.join(' | ')}\n`);
  }
}
rmSync(scratch, { recursive: true, force: true });
const head = ['model', 'preset', 'MB', 'nodes', 'fused of expected', 'quality', 'ms, before / after', 'stage took'];
const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
const text = `# Presets on the reference models

Written by \`test/bench/passes.ts\` on ${cpus()[0]?.model ?? 'an unknown processor'}, ${cpus().length} cores, ${engine.name} ${engine.version}.
Nodes after ONNX Runtime's own level \`basic\` in brackets. Right answers of all labelled test samples, or
perplexity of the next token. Times are the
fastest of ${ROUNDS} single runs each, taken in turns at one thread on a machine that others used too.

${[head, head.map(() => '---'), ...rows].map(line).join('\n')}
`;
writeFileSync(join(ROOT, 'test', 'bench', 'results', 'passes.md'), text);

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(2);
}

/** The fastest of runs in turns, and their ratio: what others do on the machine only ever adds time. */
async function compare(before: string, after: string, feeds: Feeds): Promise<string> {
  const sessions = [await engine.open(before, { threads: 1 }), await engine.open(after, { threads: 1 })];
  const times: number[][] = [[], []];
  for (let round = -5; round < ROUNDS; round++) {
    for (const [index, session] of sessions.entries()) {
      const run = session.bind(feeds);
      const start = performance.now();
      await run();
      if (round >= 0) times[index]?.push(performance.now() - start);
    }
  }
  for (const session of sessions) await session.release();
  const [a = 0, b = 0] = times.map((list) => Math.min(...list));
  return `${a.toFixed(2)} / ${b.toFixed(2)} (x ${(a / b).toFixed(2)})`;
}

async function accuracy(path: string, data: string, preprocess = {}): Promise<string> {
  const signature = signatureOf(await openModel(path));
  const dataset = await openDataset(join(SHARED, data), signature, { preprocess });
  const session = await engine.open(path);
  let right = 0;
  let count = 0;
  let loss = 0;
  const nextTokens = (logits: Float32Array, ids: BigInt64Array, shape: readonly number[]): void => {
    const [batch = 0, length = 0, words = 0] = shape;
    for (let at = 0; at < batch * length; at++) {
      if (at % length === length - 1) continue;
      const scores = logits.subarray(at * words, (at + 1) * words);
      const largest = scores.reduce((all, score) => Math.max(all, score), -Infinity);
      const sum = scores.reduce((all, score) => all + Math.exp(score - largest), 0);
      loss += Math.log(sum) + largest - (scores[Number(ids[at + 1])] ?? Number.NaN);
      count++;
    }
  };
  for await (const { feeds, labels } of dataset.batches(16)) {
    const { shape, data: logits } = (await session.run(feeds))['logits'] ?? { shape: [], data: [] };
    const classes = shape.at(-1) ?? 1;
    if (shape.length === 3) {
      nextTokens(logits as Float32Array, feeds['input_ids']?.data as BigInt64Array, shape);
      continue;
    }
    labels.forEach((label, row) => {
      const scores = Array.from(logits.slice(row * classes, (row + 1) * classes) as ArrayLike<number>, Number);
      if (scores.indexOf(Math.max(...scores)) === label) right++;
      count++;
    });
  }
  await session.release();
  await dataset.close();
  return loss > 0 ? `perplexity ${Math.exp(loss / count).toFixed(3)}` : `${right}/${count}`;
}
