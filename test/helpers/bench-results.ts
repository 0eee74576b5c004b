/** Where benchmarks leave what they measured: test/bench/results, each with the machine that it was measured on. */
import { writeFileSync } from 'node:fs';
import { arch, cpus, loadavg, platform, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { ROOT } from './sources.ts';

/** `name`: of the file, without its ending. Returns what stands in it. `memory` is in bytes, `load` of the last minute. */
export function writeBenchResults(name: string, measured: object): string {
  const machine = {
    system: `${platform()} ${release()} ${arch()}`,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memory: totalmem(),
    node: process.version,
    load: loadavg()[0],
  };
  const text = `${JSON.stringify({ measured: new Date().toISOString(), machine, ...measured }, null, 1)}\n`;
  writeFileSync(join(ROOT, 'test', 'bench', 'results', `${name}.json`), text);
  return text;
}
