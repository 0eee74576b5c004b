/**
 * Hone's side of the comparison with onnxruntime.quantization: time and peak memory of the optimize stage of `hone optimize
 * --preset int8`, in its own process as in a run, on a model and calibration data. How the other side is run stands in
 * results/int8-against-onnxruntime.md.
 *
 * After each run it runs the command of the other side, where one is given, so that both meet the same load; the last line that
 * the command writes must be JSON and is kept as it is.
 *
 * Run: node test/bench/int8-against-onnxruntime.ts MODEL DATA [runs] [-- command …]
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { keepCompiledCode } from '../../native-workers/host/compile-cache.ts';
import { Supervisor } from '../../native-workers/host/supervisor.ts';
import { findPreset } from '../../native-workers/passes/presets.ts';
import { writeBenchResults } from '../helpers/bench-results.ts';

const SAMPLES = 256;

interface Measured {
  readonly seconds: number;
  /** Bytes. */
  readonly peakMemory: number;
  readonly load: number;
}

async function optimize(supervisor: Supervisor, model: string, data: string, folder: string): Promise<Measured> {
  const start = performance.now();
  const { peakRss } = await supervisor.runJob('stage-optimize', {
    run: folder,
    file: join(folder, '02-optimize.json'),
    request: {
      model,
      recipe: findPreset('int8'),
      calibration: data,
      samples: SAMPLES,
      seed: 1,
      budgets: {},
      benchmark: {},
    },
  });
  return { seconds: (performance.now() - start) / 1000, peakMemory: peakRss, load: loadavg()[0] ?? 0 };
}

const divider = process.argv.indexOf('--');
const own = process.argv.slice(2, divider < 0 ? undefined : divider);
const [program, ...parameters] = divider < 0 ? [] : process.argv.slice(divider + 1);
const [model, data, runs = '5'] = own;
if (model === undefined || data === undefined) throw new Error('MODEL and DATA are needed.');
keepCompiledCode();
const supervisor = new Supervisor();
const folder = mkdtempSync(join(tmpdir(), 'int8-against-'));
const found: { hone: Measured; other: unknown }[] = [];
try {
  for (let run = 0; run < Number(runs); run++) {
    const hone = await optimize(supervisor, resolve(model), resolve(data), folder);
    const lines = program === undefined ? [] : String(execFileSync(program, parameters)).trim().split('\n');
    const other = lines.length === 0 ? null : (JSON.parse(lines.at(-1) ?? 'null') as unknown);
    found.push({ hone, other });
    process.stdout.write(`${JSON.stringify(found.at(-1))}\n`);
  }
} finally {
  await supervisor.close();
  rmSync(folder, { recursive: true, force: true });
}
const name = basename(dirname(resolve(model)));
writeBenchResults(`int8-against-onnxruntime-${name}`, { samples: SAMPLES, runs: found });
