/**
 * Writes a model of a given number of gigabytes as a Core ML package and reads it back, in a fresh process each: seconds, the most
 * memory that the process had, and the size of the package. Writes test/bench/results/coreml-large.json.
 *
 * Run: node test/bench/coreml-large.ts [gigabytes]
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { coreml } from '../../native-workers/artifacts/coreml.ts';
import { COREML_DEFAULTS } from '../../native-workers/artifacts/coreml-options.ts';
import { raise } from '../../native-workers/formats/coreml/raise.ts';
import { readPackage } from '../../native-workers/formats/coreml/read-package.ts';
import { readOnnx } from '../../native-workers/formats/onnx/read.ts';
import { peakMemory } from '../../native-workers/lib/peak-memory.ts';
import { openEngine } from '../../native-workers/runtimes/onnxruntime.ts';
import { writeBenchResults } from '../helpers/bench-results.ts';
import { writeLargeModel } from '../helpers/large-model.ts';

async function writeOne(source: string, folder: string, precision: 'float32' | 'float16'): Promise<object> {
  const start = performance.now();
  const engine = await openEngine();
  const prepared = (): Promise<never> => Promise.reject(new Error('Core ML prepares the model itself'));
  const context = { engine, source, scratch: folder, prepared, progress: async () => undefined };
  const { path, files } = await coreml.write(readOnnx(source), folder, { ...COREML_DEFAULTS, precision }, context);
  const writeSeconds = (performance.now() - start) / 1000;
  const begin = performance.now();
  const { graph } = raise(readPackage(join(folder, path)).main);
  const readSeconds = (performance.now() - begin) / 1000;
  const bytes = files.reduce((sum, file) => sum + statSync(join(folder, file)).size, 0);
  return { precision, writeSeconds, readSeconds, bytes, nodes: graph.nodes.size, peakBytes: peakMemory() ?? 0 };
}

const [first, source = '', folder = '', precision = ''] = process.argv.slice(2);
if (first === '--one') {
  process.stdout.write(JSON.stringify(await writeOne(source, folder, precision === 'float16' ? 'float16' : 'float32')));
} else {
  const scratch = mkdtempSync(join(tmpdir(), 'coreml-bench-'));
  try {
    const large = join(scratch, 'large.onnx');
    await writeLargeModel(large, Number(first ?? 2.5) * 1e9);
    const results = (['float32', 'float16'] as const).map((each) => {
      const out = mkdtempSync(join(scratch, each));
      try {
        const text = execFileSync(process.execPath, [import.meta.filename, '--one', large, out, each], {
          encoding: 'utf8',
        });
        return JSON.parse(text) as object;
      } finally {
        rmSync(out, { recursive: true, force: true });
      }
    });
    process.stdout.write(writeBenchResults('coreml-large', { results }));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
